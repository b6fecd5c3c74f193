// Package vectors reads the test vectors of spec/signing.
package vectors

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Verdicts on a case.
const (
	Valid      = "valid"
	Acceptable = "acceptable"
	MustRefuse = "must-refuse"
)

// A Message is a request as it is on the wire.
type Message struct {
	Method  string
	Target  string
	Headers [][2]string
	Body    string
}

// Keys are what a request is signed with; a signature of q-sign may start from the sign key.
type Keys struct {
	SecretID  string `json:"secret_id"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	SignKey   string `json:"sign_key"`
}

// A Case follows one request through every stage of its signature.
type Case struct {
	Name              string
	Verdict           string
	Reason            string
	NotForSigners     string `json:"not_for_signers"`
	Scope             string
	Request           Message
	Arrives           Message
	Credentials       Keys
	SenderCredentials *Keys `json:"sender_credentials"`
	Time              struct{ Start, End int64 }
	SignedHeaders     []string `json:"signed_headers"`
	SignedParameters  []string `json:"signed_parameters"`
	Stages            map[string]string
	Authorization     string
}

// A Signer gives the stages as the vectors name them, and the value of Authorization.
type Signer func(c Case, req *http.Request, body []byte, keys Keys) (stages map[string]string, authorization string, err error)

// Hold holds a signer to every case of a file, whose folder is CALLOFF_VECTORS or that of the checkout.
func Hold(t *testing.T, file string, signer Signer) {
	cases := read(t, file)
	for _, verdict := range []string{Valid, Acceptable, MustRefuse} {
		if !slices.ContainsFunc(cases, func(c Case) bool { return c.Verdict == verdict }) {
			t.Fatalf("%s has no case that is %s", file, verdict)
		}
	}
	for _, c := range cases {
		if c.NotForSigners == "" {
			t.Run("signs/"+c.Name, func(t *testing.T) { signs(t, c, signer) })
		}
		// A signature of the past is right in all but its time, and a signer knows no other time.
		if c.Verdict == MustRefuse && !strings.HasPrefix(c.Reason, "time:") {
			t.Run("refuses/"+c.Name, func(t *testing.T) { refuses(t, c, signer) })
		}
	}
}

func signs(t *testing.T, c Case, signer Signer) {
	keys := c.Credentials
	if c.SenderCredentials != nil {
		keys = *c.SenderCredentials
	}
	req, err := c.Request.parsed()
	if err != nil {
		t.Fatal(err)
	}
	stages, authorization, err := signer(c, req, []byte(c.Request.Body), keys)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range c.Stages {
		if stages[name] != want {
			t.Errorf("%s is\n%q, want\n%q", name, stages[name], want)
		}
	}
	if len(c.Stages) == 0 || authorization != c.Authorization {
		t.Errorf("Authorization is\n%s, want\n%s", authorization, c.Authorization)
	}
}

// refuses sees that nobody can pass off what arrived as written by this signer.
func refuses(t *testing.T, c Case, signer Signer) {
	req, err := c.Arrives.parsed()
	if err != nil {
		return
	}
	presented := req.Header.Get("Authorization")
	if presented == "" {
		if presented, err = url.PathUnescape(req.URL.RawQuery); err != nil {
			t.Fatal(err)
		}
	}
	_, written, err := signer(c, req, []byte(c.Arrives.Body), c.Credentials)
	if err == nil && strings.HasSuffix(presented, written) {
		t.Errorf("it writes %s", written)
	}
}

func (m Message) parsed() (*http.Request, error) {
	target, err := url.ParseRequestURI(m.Target)
	if err != nil {
		return nil, err
	}
	req := &http.Request{Method: m.Method, URL: target, Header: http.Header{}}
	for _, header := range m.Headers {
		if strings.EqualFold(header[0], "Host") {
			req.Host = header[1]
		} else {
			req.Header.Add(header[0], header[1])
		}
	}
	return req, nil
}

func read(t *testing.T, file string) []Case {
	folder := os.Getenv("CALLOFF_VECTORS")
	if folder == "" {
		folder = "../../../../spec/signing"
	}
	content, err := os.ReadFile(filepath.Join(folder, file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Cases []Case }
	if err := json.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	return document.Cases
}
