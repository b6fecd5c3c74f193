package qsign_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"calloff.invalid/consumer/internal/vectors"
	"calloff.invalid/consumer/qsign"
)

func TestVectors(t *testing.T) {
	vectors.Hold(t, "q-sign", func(c vectors.Case, req *http.Request, _ []byte, keys vectors.Keys) (map[string]string, string, error) {
		lists := qsign.Lists{Headers: c.SignedHeaders, Parameters: c.SignedParameters}
		keyTime := fmt.Sprintf("%d;%d", c.Time.Start, c.Time.End)
		signKey := keys.SignKey
		if signKey == "" {
			signKey = qsign.SignKey(keys.SecretKey, keyTime)
		}
		stages, err := qsign.Compute(req, keys.SecretID, signKey, keyTime, lists)
		if err != nil {
			return nil, "", err
		}
		if keys.SecretKey != "" {
			signed := req.Clone(t.Context())
			start, end := time.Unix(c.Time.Start, 0), time.Unix(c.Time.End, 0)
			if err := qsign.Sign(signed, keys.SecretID, keys.SecretKey, start, end, lists); err != nil {
				return nil, "", err
			}
			if got := signed.Header.Get("Authorization"); got != stages.Authorization {
				return nil, "", fmt.Errorf("Sign writes %s", got)
			}
		}
		return map[string]string{
			"http_string":      stages.HTTPString,
			"http_string_sha1": stages.HTTPStringSHA1,
			"string_to_sign":   stages.StringToSign,
			"sign_key":         stages.SignKey,
			"signature":        stages.Signature,
		}, stages.Authorization, nil
	})
}

func TestSignRefuses(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	const id, key = "an-id", "word-of-the-key"
	tests := map[string]struct {
		target, id, key string
		end             time.Time
		lists           qsign.Lists
	}{
		"an id that ends its field":  {"/?cancel", "a&b", key, now.Add(time.Minute), qsign.Lists{}},
		"a key of two lines":         {"/?cancel", id, key + "\n", now.Add(time.Minute), qsign.Lists{}},
		"an end before the start":    {"/?cancel", id, key, now.Add(-time.Minute), qsign.Lists{}},
		"a parameter that is absent": {"/", id, key, now.Add(time.Minute), qsign.Lists{Parameters: []string{"cancel"}}},
		"a parameter that is there twice": {
			"/?cancel&cancel", id, key, now.Add(time.Minute), qsign.Lists{Parameters: []string{"cancel"}},
		},
		"a header that is absent": {"/", id, key, now.Add(time.Minute), qsign.Lists{Headers: []string{"x-note"}}},
		"a query of no UTF-8":     {"/?a=%FF", id, key, now.Add(time.Minute), qsign.Lists{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPut, "http://a.example"+test.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = qsign.Sign(req, test.id, test.key, now, test.end, test.lists)
			if err == nil || req.Header.Get("Authorization") != "" {
				t.Fatal("it signs")
			}
			if strings.Contains(err.Error(), key) {
				t.Fatal("it tells the key")
			}
		})
	}
}

func TestStagesAreNotShown(t *testing.T) {
	const word = "word-of-the-key"
	stages := qsign.Stages{SignKey: word, Signature: word}
	asJSON, err := json.Marshal(stages)
	if err != nil {
		t.Fatal(err)
	}
	if shown := string(asJSON) + fmt.Sprintf("%v %+v %#v %s %x", stages, stages, stages, stages, stages); strings.Contains(shown, word) {
		t.Error("a key is shown")
	}
}
