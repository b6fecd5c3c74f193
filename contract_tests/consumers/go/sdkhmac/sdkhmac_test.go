package sdkhmac_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"calloff.invalid/consumer/internal/vectors"
	"calloff.invalid/consumer/sdkhmac"
)

func TestVectors(t *testing.T) {
	for _, file := range []string{"sdk-hmac-sha256", "sdk-hmac-sha256-derived"} {
		t.Run(file, func(t *testing.T) { vectors.Hold(t, file, stages) })
	}
}

func stages(c vectors.Case, req *http.Request, body []byte, keys vectors.Keys) (map[string]string, string, error) {
	s, err := sdkhmac.Compute(req, body, keys.AccessKey, keys.SecretKey, c.SignedHeaders, c.Scope)
	if err != nil {
		return nil, "", err
	}
	named := map[string]string{
		"canonical_request":        s.CanonicalRequest,
		"canonical_request_sha256": s.CanonicalRequestSHA256,
		"string_to_sign":           s.StringToSign,
		"signature":                s.Signature,
	}
	if c.Scope != "" {
		named["sign_key"] = hex.EncodeToString(s.SignKey)
	}
	return named, s.Authorization, nil
}

func TestSign(t *testing.T) {
	req, err := http.NewRequest(http.MethodDelete, "https://a.example/v1.0/p/jobs/j", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Security-Token", "t")
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.FixedZone("", 3600))

	if err := sdkhmac.Sign(req, nil, "an-id", "a-key", now, "X-Security-Token"); err != nil {
		t.Fatal(err)
	}

	if got, want := req.Header.Get("X-Sdk-Date"), "20260115T093000Z"; got != want {
		t.Errorf("X-Sdk-Date is %s, want %s", got, want)
	}
	want := "SDK-HMAC-SHA256 Access=an-id, SignedHeaders=host;x-sdk-date;x-security-token, Signature="
	if got := req.Header.Get("Authorization"); !strings.HasPrefix(got, want) {
		t.Errorf("Authorization is %s, want %s…", got, want)
	}
}

func TestSignRefuses(t *testing.T) {
	const id, key = "an-id", "word-of-the-key"
	tests := map[string]struct {
		target, id, key string
		headers         []string
	}{
		"an id that ends its field": {"/", "a,b", key, nil},
		"a key of two lines":        {"/", id, key + "\n", nil},
		"a header that is absent":   {"/", id, key, []string{"x-note"}},
		"a header that is twice":    {"/", id, key, []string{"x-twice"}},
		"a query of no UTF-8":       {"/?a=%FF", id, key, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodDelete, "http://a.example"+test.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["X-Twice"] = []string{"1", "2"}
			err = sdkhmac.Sign(req, nil, test.id, test.key, time.Now(), test.headers...)
			if err == nil || req.Header.Get("Authorization") != "" {
				t.Fatal("it signs")
			}
			if strings.Contains(fmt.Sprintf("%+v", err), key) {
				t.Fatal("it tells the key")
			}
		})
	}
}

func TestStagesAreNotShown(t *testing.T) {
	const word = "word-of-the-key"
	stages := sdkhmac.Stages{SignKey: []byte(word), Signature: word}
	asJSON, err := json.Marshal(stages)
	if err != nil {
		t.Fatal(err)
	}
	if shown := string(asJSON) + fmt.Sprintf("%v %+v %#v %s %x", stages, stages, stages, stages, stages); strings.Contains(shown, word) {
		t.Error("a key is shown")
	}
}
