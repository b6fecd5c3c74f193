package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"calloff.invalid/clients/tencentci"
	"calloff.invalid/clients/tencentcistatus"
	"calloff.invalid/consumer/qsign"
)

const (
	ciTokenHeader     = "X-Ci-Security-Token"
	ciRequestIDHeader = "X-Ci-Request-Id"
	signatureValidity = 10 * time.Minute
	clockTolerance    = time.Minute
)

var (
	bucketForm  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[0-9]+$`)
	regionForm  = regexp.MustCompile(`^[a-z0-9-]+$`)
	ciJobIDForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// A CIKey signs requests to CI.
type CIKey struct {
	SecretID  string
	SecretKey Secret
	// Token belongs to a temporary key.
	Token Secret
}

// CI cancels jobs of Tencent Cloud CI, and reads their states.
type CI struct {
	endpoint Endpoint
	client   *tencentci.Client
	status   *tencentcistatus.Client
}

// CIAccepted says that the service took the request, not that the job is cancelled: read its state until it is
// `Cancel`.
type CIAccepted struct{ RequestID string }

// CIURL gives the URL of the service of a bucket, name and APPID: `examplebucket-1250000000`.
func CIURL(bucket, region string) (string, error) {
	if err := errors.Join(checkedID("bucket", bucketForm, bucket), checkedID("region", regionForm, region)); err != nil {
		return "", err
	}
	return fmt.Sprintf("https://%s.ci.%s.myqcloud.com", bucket, region), nil
}

// #region ci

// NewCI gives a client that signs with a key.
func NewCI(endpoint Endpoint, key CIKey) (*CI, error) {
	if err := errors.Join(endpoint.check(), key.check()); err != nil {
		return nil, err
	}
	client, err := tencentci.NewClient(
		endpoint.URL, tencentci.WithHTTPClient(newHTTPClient()), tencentci.WithRequestEditorFn(key.sign))
	if err != nil {
		return nil, fmt.Errorf("making the client of CI: %w", err)
	}
	status, err := tencentcistatus.NewClient(
		endpoint.URL, tencentcistatus.WithHTTPClient(newHTTPClient()), tencentcistatus.WithRequestEditorFn(key.sign))
	if err != nil {
		return nil, fmt.Errorf("making the client of CI: %w", err)
	}
	return &CI{endpoint: endpoint, client: client, status: status}, nil
}

// sign is what a generated client calls with each request before it sends it.
func (k CIKey) sign(_ context.Context, req *http.Request) error {
	lists := qsign.Lists{Headers: []string{"host"}}
	if req.URL.Query().Has("cancel") {
		lists.Parameters = []string{"cancel"}
	}
	if k.Token != "" {
		req.Header.Set(ciTokenHeader, string(k.Token))
		lists.Headers = append(lists.Headers, ciTokenHeader)
	}
	now := time.Now()
	start, end := now.Add(-clockTolerance), now.Add(signatureValidity)
	return unsendable(qsign.Sign(req, k.SecretID, string(k.SecretKey), start, end, lists))
}

// CancelAIJob asks the service to cancel an AI job.
func (c *CI) CancelAIJob(ctx context.Context, id string) (*CIAccepted, error) {
	if err := checkedID("job id", ciJobIDForm, id); err != nil {
		return nil, err
	}
	params := tencentci.CancelAiJobParams{Cancel: tencentci.CancelAiJobParamsCancelEmpty}
	return ciAccepted(c.endpoint.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return c.client.CancelAiJob(ctx, id, &params)
	}))
}

// #endregion

// CancelInventoryTriggerJob asks the service to cancel a batch job.
func (c *CI) CancelInventoryTriggerJob(ctx context.Context, id string) (*CIAccepted, error) {
	if err := checkedID("job id", ciJobIDForm, id); err != nil {
		return nil, err
	}
	params := tencentci.CancelInventoryTriggerJobParams{Cancel: tencentci.CancelInventoryTriggerJobParamsCancelEmpty}
	return ciAccepted(c.endpoint.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return c.client.CancelInventoryTriggerJob(ctx, id, &params)
	}))
}

func (k CIKey) check() error {
	err := errors.Join(checkedSecret("secret id", Secret(k.SecretID)), checkedSecret("secret key", k.SecretKey))
	if k.Token != "" {
		err = errors.Join(err, checkedSecret("token", k.Token))
	}
	return err
}

func ciAccepted(got *answer, err error) (*CIAccepted, error) {
	if err != nil {
		return nil, err
	}
	requestID := got.header.Get(ciRequestIDHeader)
	if got.status == http.StatusOK && len(got.body) > 0 {
		// An error, or the page of somebody in between.
		return nil, &UnknownOutcomeError{Err: errors.New("a 200 with a body, which the document does not have")}
	}
	if got.status == http.StatusOK {
		return &CIAccepted{RequestID: requestID}, nil
	}
	return nil, refusedByCI(got)
}

func refusedByCI(got *answer) error {
	refused := &RefusedError{Status: got.status, RequestID: got.header.Get(ciRequestIDHeader), CI: ciError(got.body)}
	if refused.CI != nil {
		refused.Code = refused.CI.Code
	}
	return judged(refused)
}
