// Package sdkhmac signs requests as Huawei Cloud and Open Telekom Cloud demand (SDK-HMAC-SHA256).
// Copy this file: it needs the standard library alone.
//
// Rules: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html
package sdkhmac

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	algorithm  = "SDK-HMAC-SHA256"
	dateForm   = "20060102T150405Z"
	dateHeader = "X-Sdk-Date"
)

// Stages are all steps of a signature, for whoever has to find out where two signers disagree.
// SignKey is the secret key, or in the derived form the key of one day and service, which is as secret.
type Stages struct {
	CanonicalRequest, CanonicalRequestSHA256, StringToSign, Signature, Authorization string
	SignKey                                                                          []byte
}

// Format writes no stage: a key is among them, and a token where one is signed. Read the fields one by one.
func (Stages) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "[stages of a signature]")
}

// MarshalText gives what Format writes.
func (Stages) MarshalText() ([]byte, error) { return []byte("[stages of a signature]"), nil }

var (
	idForm  = regexp.MustCompile(`^[!-+\--~]+$`)
	keyForm = regexp.MustCompile(`^[ -~]+$`)
)

// Sign gives a request its headers X-Sdk-Date and Authorization. The host, the date and the named headers are
// signed, so set these before. The body is what will be sent; nil where there is none.
func Sign(req *http.Request, body []byte, accessKey, secretKey string, now time.Time, headers ...string) error {
	req.Header.Set(dateHeader, now.UTC().Format(dateForm))
	stages, err := Compute(req, body, accessKey, secretKey, append([]string{"host", dateHeader}, headers...), "")
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", stages.Authorization)
	return nil
}

// Compute gives every stage of a signature. A scope, day, region, service and "sdk_request" between slashes, makes
// it one of the derived form; leave it empty.
func Compute(req *http.Request, body []byte, accessKey, secretKey string, headers []string, scope string) (Stages, error) {
	if !idForm.MatchString(accessKey) || !keyForm.MatchString(secretKey) {
		return Stages{}, errors.New("sdkhmac: access key and secret key must be printable ASCII; the first without blanks and commas")
	}
	names, lines, date, err := canonicalHeaders(req, headers)
	if err != nil {
		return Stages{}, err
	}
	if moment, err := time.Parse(dateForm, date); err != nil || moment.Format(dateForm) != date {
		return Stages{}, errors.New("sdkhmac: X-Sdk-Date must be signed, and be a moment written YYYYMMDDTHHMMSSZ in UTC")
	}
	query, err := canonicalQuery(req.URL.RawQuery)
	if err != nil {
		return Stages{}, err
	}
	s := Stages{SignKey: []byte(secretKey)}
	s.CanonicalRequest = strings.Join([]string{
		strings.ToUpper(req.Method), canonicalPath(req.URL.Path), query, lines, names, payloadHash(req, body),
	}, "\n")
	s.CanonicalRequestSHA256 = hash([]byte(s.CanonicalRequest))
	who := "Access=" + accessKey
	s.StringToSign = algorithm + "\n" + date + "\n"
	if scope != "" {
		if !strings.HasPrefix(scope, date[:len("20060102")]+"/") {
			return Stages{}, errors.New("sdkhmac: the scope must be of the day of X-Sdk-Date")
		}
		who = "Credential=" + accessKey + "/" + scope
		s.StringToSign += scope + "\n"
		s.SignKey = derivedKey(secretKey, scope)
	}
	s.StringToSign += s.CanonicalRequestSHA256
	s.Signature = hex.EncodeToString(hmacSHA256(s.SignKey, s.StringToSign))
	s.Authorization = fmt.Sprintf("%s %s, SignedHeaders=%s, Signature=%s", algorithm, who, names, s.Signature)
	return s, nil
}

// canonicalHeaders writes names and lines of what is signed; it refuses what is not there exactly once.
func canonicalHeaders(req *http.Request, signed []string) (names, lines, date string, err error) {
	var lowered []string
	for _, name := range signed {
		lowered = append(lowered, strings.ToLower(name))
	}
	slices.Sort(lowered)
	lowered = slices.Compact(lowered)
	for _, name := range lowered {
		values := req.Header.Values(name)
		if name == "host" {
			values = []string{cmp.Or(req.Host, req.URL.Host)}
		}
		if len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") || name == "host" && values[0] == "" {
			return "", "", "", fmt.Errorf("sdkhmac: header %s is to be signed and must be in the request once, on one line", name)
		}
		value := strings.Trim(values[0], " \t")
		if strings.EqualFold(name, dateHeader) {
			date = value
		}
		lines += name + ":" + value + "\n"
	}
	return strings.Join(lowered, ";"), lines, date, nil
}

func canonicalPath(path string) string {
	var written strings.Builder
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		written.WriteString(encoded(segment) + "/")
	}
	return written.String()
}

// canonicalQuery sorts by name, then value, in the order of their bytes, and only then encodes.
func canonicalQuery(query string) (string, error) {
	var pairs [][2]string
	for piece := range strings.SplitSeq(query, "&") {
		if piece == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, errName := url.PathUnescape(rawName) // A plus is a plus here.
		value, errValue := url.PathUnescape(rawValue)
		if errName != nil || errValue != nil || !utf8.ValidString(name+value) {
			return "", errors.New("sdkhmac: the query must be percent-encoded UTF-8")
		}
		pairs = append(pairs, [2]string{name, value})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	var written []string
	for _, pair := range pairs {
		written = append(written, encoded(pair[0])+"="+encoded(pair[1]))
	}
	return strings.Join(written, "&"), nil
}

func payloadHash(req *http.Request, body []byte) string {
	// The official SDK hashes an empty body all the same.
	if req.Header.Get("X-Sdk-Content-Sha256") == "UNSIGNED-PAYLOAD" && len(body) > 0 {
		return "UNSIGNED-PAYLOAD"
	}
	return hash(body)
}

// encoded leaves alone what RFC 3986 calls unreserved, and nothing else.
func encoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func derivedKey(secretKey, scope string) []byte {
	key := []byte("SDK" + secretKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hash(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}
