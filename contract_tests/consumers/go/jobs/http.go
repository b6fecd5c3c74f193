// Package jobs cancels jobs of Tencent Cloud CI, and of Data Lake Insight on Open Telekom Cloud and Huawei Cloud.
// It puts around the generated clients what these leave out: signing, checked arguments, a deadline, no redirects,
// answers of bounded length.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

const (
	defaultTimeout = 30 * time.Second
	maxAnswer      = 1 << 20
)

// An Endpoint says where a service is.
type Endpoint struct {
	// URL is scheme, host and port, such as "https://dli.eu-de.otc.t-systems.com".
	URL string
	// Timeout ends a call, if its context does not end it before. Default: 30 s.
	Timeout time.Duration
}

// A Secret is written by no function of fmt, log, log/slog and encoding/json.
type Secret string

// Format writes what stands for a secret.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[secret]") }

// MarshalText gives what stands for a secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

func (e Endpoint) check() error {
	parsed, err := url.Parse(e.URL)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" ||
		e.URL != parsed.Scheme+"://"+parsed.Host && e.URL != parsed.Scheme+"://"+parsed.Host+"/" {
		return fmt.Errorf("%w: the endpoint must be scheme, host and port of http or https", ErrInvalidArgument)
	}
	return nil
}

// #region connect

// newHTTPClient gives what the generated clients send with. It hands on redirects as they are: token and signature
// are for the first host alone.
func newHTTPClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An answer was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call runs a function of a generated client and reads the answer, all within the timeout.
func (e Endpoint) call(ctx context.Context, send func(context.Context) (*http.Response, error)) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(e.Timeout, defaultTimeout))
	defer cancel()
	response, err := send(ctx)
	if errors.Is(err, ErrInvalidArgument) {
		return nil, err
	}
	if err != nil {
		return nil, &UnknownOutcomeError{Err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("the answer is too long")
	}
	if err != nil && response.StatusCode == http.StatusOK {
		return nil, &UnknownOutcomeError{Err: err}
	}
	if err != nil {
		body = nil // The status says enough.
	}
	return &answer{status: response.StatusCode, header: response.Header, body: body}, nil
}

// #endregion

// #region id

// checkedID refuses an id that is no path segment of its own; generated code does not look.
func checkedID(what string, pattern *regexp.Regexp, id string) error {
	if !pattern.MatchString(id) {
		return fmt.Errorf("%w: %s must match %s", ErrInvalidArgument, what, pattern)
	}
	return nil
}

// #endregion

var secretForm = regexp.MustCompile(`^[!-~]+$`)

// checkedSecret refuses what no header can carry.
func checkedSecret(what string, secret Secret) error {
	if !secretForm.MatchString(string(secret)) {
		return fmt.Errorf("%w: %s must be printable ASCII without blanks, and not empty", ErrInvalidArgument, what)
	}
	return nil
}
