package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"calloff.invalid/clients/tencentci"
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

// CI cancels jobs of Tencent Cloud CI.
type CI struct {
	endpoint Endpoint
	client   *tencentci.Client
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
	sign := func(_ context.Context, req *http.Request) error {
		lists := qsign.Lists{Headers: []string{"host"}, Parameters: []string{"cancel"}}
		if key.Token != "" {
			req.Header.Set(ciTokenHeader, string(key.Token))
			lists.Headers = append(lists.Headers, ciTokenHeader)
		}
		now := time.Now()
		start, end := now.Add(-clockTolerance), now.Add(signatureValidity)
		return unsendable(qsign.Sign(req, key.SecretID, string(key.SecretKey), start, end, lists))
	}
	client, err := tencentci.NewClient(
		endpoint.URL, tencentci.WithHTTPClient(newHTTPClient()), tencentci.WithRequestEditorFn(sign))
	if err != nil {
		return nil, fmt.Errorf("making the client of CI: %w", err)
	}
	return &CI{endpoint: endpoint, client: client}, nil
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
	refused := &RefusedError{Status: got.status, RequestID: requestID, CI: ciError(got.body)}
	if refused.CI != nil {
		refused.Code = refused.CI.Code
	}
	return nil, judged(refused)
}
