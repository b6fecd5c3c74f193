// Package qsign signs requests as Tencent Cloud COS and CI demand (q-sign-algorithm=sha1).
// Copy this file: it needs the standard library alone.
//
// Rules: https://www.tencentcloud.com/document/product/436/7778
package qsign

import (
	"crypto/hmac"
	"crypto/sha1"
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

// Lists names what a signature protects, in any order and case.
type Lists struct {
	Headers    []string
	Parameters []string
}

// Stages are all steps of a signature, for whoever has to find out where two signers disagree.
// SignKey is as secret as the secret key while the signature is valid.
type Stages struct {
	HTTPString, HTTPStringSHA1, StringToSign, SignKey, Signature, Authorization string
}

// Format writes no stage: a key is among them, and a token where one is signed. Read the fields one by one.
func (Stages) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "[stages of a signature]")
}

// MarshalText gives what Format writes.
func (Stages) MarshalText() ([]byte, error) { return []byte("[stages of a signature]"), nil }

var (
	idForm  = regexp.MustCompile(`^[!-%'-~]+$`)
	keyForm = regexp.MustCompile(`^[ -~]+$`)
)

// Sign gives a request its header Authorization, valid from start to end.
// Whatever the lists name must be in the request once, the host in req.Host or in its URL.
func Sign(req *http.Request, secretID, secretKey string, start, end time.Time, lists Lists) error {
	if !idForm.MatchString(secretID) || !keyForm.MatchString(secretKey) {
		return errors.New("qsign: secret id and secret key must be printable ASCII; the id without blanks and &")
	}
	if start.Unix() < 0 || start.Unix() >= end.Unix() {
		return errors.New("qsign: a signature must end after it starts")
	}
	keyTime := fmt.Sprintf("%d;%d", start.Unix(), end.Unix())
	stages, err := Compute(req, secretID, SignKey(secretKey, keyTime), keyTime, lists)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", stages.Authorization)
	return nil
}

// SignKey derives the key of one validity, "start;end" in Unix seconds.
func SignKey(secretKey, keyTime string) string {
	return hmacSHA1(secretKey, keyTime)
}

// Compute gives every stage of a signature.
func Compute(req *http.Request, secretID, signKey, keyTime string, lists Lists) (Stages, error) {
	headers, headerList, err := selected("header", headersOf(req), lists.Headers)
	if err != nil {
		return Stages{}, err
	}
	query, err := parametersOf(req.URL.RawQuery)
	if err != nil {
		return Stages{}, err
	}
	parameters, parameterList, err := selected("parameter", query, lists.Parameters)
	if err != nil {
		return Stages{}, err
	}
	s := Stages{SignKey: signKey}
	s.HTTPString = strings.Join([]string{strings.ToLower(req.Method), req.URL.Path, parameters, headers, ""}, "\n")
	digest := sha1.Sum([]byte(s.HTTPString))
	s.HTTPStringSHA1 = hex.EncodeToString(digest[:])
	s.StringToSign = fmt.Sprintf("sha1\n%s\n%s\n", keyTime, s.HTTPStringSHA1)
	// The key is the hexadecimal text, not the bytes that it stands for.
	s.Signature = hmacSHA1(signKey, s.StringToSign)
	s.Authorization = fmt.Sprintf(
		"q-sign-algorithm=sha1&q-ak=%s&q-sign-time=%s&q-key-time=%s&q-header-list=%s&q-url-param-list=%s&q-signature=%s",
		secretID, keyTime, keyTime, headerList, parameterList, s.Signature)
	return s, nil
}

func headersOf(req *http.Request) map[string][]string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	headers := map[string][]string{"host": {host}}
	for name, values := range req.Header {
		for _, value := range values {
			headers[encodedLower(name)] = append(headers[encodedLower(name)], strings.Trim(value, " \t"))
		}
	}
	return headers
}

func parametersOf(query string) (map[string][]string, error) {
	parameters := map[string][]string{}
	for piece := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(piece, "=")
		name, err := url.PathUnescape(rawName) // A plus is a plus here.
		if err != nil {
			return nil, errors.New("qsign: the query must be percent-encoded")
		}
		value, err := url.PathUnescape(rawValue)
		if err != nil || !utf8.ValidString(name+value) {
			return nil, errors.New("qsign: the query must be percent-encoded UTF-8")
		}
		parameters[encodedLower(name)] = append(parameters[encodedLower(name)], value)
	}
	return parameters, nil
}

// selected writes the named pairs and their names, sorted; it refuses what is not there exactly once.
func selected(kind string, pairs map[string][]string, names []string) (text, list string, err error) {
	var lowered, written []string
	for _, name := range names {
		lowered = append(lowered, encodedLower(name))
	}
	slices.Sort(lowered)
	lowered = slices.Compact(lowered)
	for _, name := range lowered {
		values := pairs[name]
		if len(values) != 1 || name == "host" && values[0] == "" && kind == "header" {
			return "", "", fmt.Errorf("qsign: %s %s is to be signed and must be in the request once", kind, name)
		}
		written = append(written, name+"="+encoded(values[0]))
	}
	return strings.Join(written, "&"), strings.Join(lowered, ";"), nil
}

func encodedLower(name string) string {
	return strings.ToLower(encoded(name))
}

// encoded leaves alone what RFC 3986 calls unreserved, and nothing else.
func encoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func hmacSHA1(key, text string) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
