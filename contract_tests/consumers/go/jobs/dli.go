package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"calloff.invalid/clients/huaweiclouddli"
	"calloff.invalid/clients/huaweiclouddlistatus"
	"calloff.invalid/clients/otcdli"
	"calloff.invalid/clients/otcdlistatus"
	"calloff.invalid/consumer/sdkhmac"
)

const (
	tokenHeader         = "X-Auth-Token"
	securityTokenHeader = "X-Security-Token"
	requestIDHeader     = "X-Request-Id"
	contentTypeHeader   = "Content-Type"
)

var (
	projectIDForm = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)
	sqlJobIDForm  = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
	batchIDForm   = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// A DLICredential is a token of IAM, or a key.
type DLICredential struct {
	Token Secret

	AccessKey string
	SecretKey Secret
	// SecurityToken belongs to a temporary key.
	SecurityToken Secret
}

// A Project is where the jobs of DLI are.
type Project struct {
	Endpoint
	ID string
}

// OTCDLI cancels jobs of DLI on Open Telekom Cloud, and reads their states.
type OTCDLI struct {
	project Project
	client  *otcdli.Client
	status  *otcdlistatus.Client
}

// HuaweiCloudDLI cancels jobs of DLI on Huawei Cloud, and reads their states.
type HuaweiCloudDLI struct {
	project Project
	client  *huaweiclouddli.Client
	status  *huaweiclouddlistatus.Client
}

// NewOTCDLI gives a client of a project.
func NewOTCDLI(project Project, credential DLICredential) (*OTCDLI, error) {
	if err := errors.Join(project.check(), credential.check()); err != nil {
		return nil, err
	}
	client, err := otcdli.NewClient(
		project.URL, otcdli.WithHTTPClient(newHTTPClient()), otcdli.WithRequestEditorFn(credential.prove))
	if err != nil {
		return nil, fmt.Errorf("making the client of DLI: %w", err)
	}
	status, err := otcdlistatus.NewClient(
		project.URL, otcdlistatus.WithHTTPClient(newHTTPClient()), otcdlistatus.WithRequestEditorFn(credential.prove))
	if err != nil {
		return nil, fmt.Errorf("making the client of DLI: %w", err)
	}
	return &OTCDLI{project: project, client: client, status: status}, nil
}

// NewHuaweiCloudDLI gives a client of a project.
func NewHuaweiCloudDLI(project Project, credential DLICredential) (*HuaweiCloudDLI, error) {
	if err := errors.Join(project.check(), credential.check()); err != nil {
		return nil, err
	}
	client, err := huaweiclouddli.NewClient(
		project.URL, huaweiclouddli.WithHTTPClient(newHTTPClient()),
		huaweiclouddli.WithRequestEditorFn(typed), huaweiclouddli.WithRequestEditorFn(credential.prove))
	if err != nil {
		return nil, fmt.Errorf("making the client of DLI: %w", err)
	}
	status, err := huaweiclouddlistatus.NewClient(
		project.URL, huaweiclouddlistatus.WithHTTPClient(newHTTPClient()),
		huaweiclouddlistatus.WithRequestEditorFn(typed), huaweiclouddlistatus.WithRequestEditorFn(credential.prove))
	if err != nil {
		return nil, fmt.Errorf("making the client of DLI: %w", err)
	}
	return &HuaweiCloudDLI{project: project, client: client, status: status}, nil
}

// CancelBatchJob asks the service to cancel a Spark batch. Accepted is not cancelled: read its state until it is
// `dead`.
func (d *OTCDLI) CancelBatchJob(ctx context.Context, id string) (*otcdli.BatchCancelResult, error) {
	if err := checkedID("batch id", batchIDForm, id); err != nil {
		return nil, err
	}
	return accepted[otcdli.BatchCancelResult](d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.client.CancelBatchJob(ctx, d.project.ID, id)
	}))
}

// #region sql

// CancelSQLJob asks the service to cancel a SQL job. Accepted is not cancelled: read its state until it is
// `CANCELLED`.
func (d *OTCDLI) CancelSQLJob(ctx context.Context, id string) (*otcdli.SqlCancelResult, error) {
	if err := checkedID("job id", sqlJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.client.CancelSqlJob(ctx, d.project.ID, id)
	})
	result, err := accepted[otcdli.SqlCancelResult](got, err)
	if err == nil {
		err = succeeded(got, result.IsSuccess, result)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// #endregion

// CancelSQLJob asks the service to cancel a SQL job. Accepted is not cancelled: read its state until it is
// `CANCELLED`.
func (d *HuaweiCloudDLI) CancelSQLJob(ctx context.Context, id string) (*huaweiclouddli.SqlCancelResult, error) {
	if err := checkedID("job id", sqlJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.client.CancelSqlJob(ctx, d.project.ID, id)
	})
	result, err := accepted[huaweiclouddli.SqlCancelResult](got, err)
	if err == nil {
		err = succeeded(got, result.IsSuccess, (*otcdli.SqlCancelResult)(result))
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// typed sets what Huawei Cloud demands of every request, those without a body too.
func typed(_ context.Context, req *http.Request) error {
	req.Header.Set(contentTypeHeader, "application/json")
	return nil
}

// #region prove

// prove is what a generated client calls with each request before it sends it.
func (c DLICredential) prove(_ context.Context, req *http.Request) error {
	if c.Token != "" {
		req.Header.Set(tokenHeader, string(c.Token))
		return nil
	}
	var signed []string
	if c.SecurityToken != "" {
		req.Header.Set(securityTokenHeader, string(c.SecurityToken))
		signed = append(signed, securityTokenHeader)
	}
	return unsendable(sdkhmac.Sign(req, nil, c.AccessKey, string(c.SecretKey), time.Now(), signed...))
}

// #endregion

func (c DLICredential) check() error {
	if c.Token != "" {
		return checkedSecret("token", c.Token)
	}
	err := errors.Join(checkedSecret("access key", Secret(c.AccessKey)), checkedSecret("secret key", c.SecretKey))
	if c.SecurityToken != "" {
		err = errors.Join(err, checkedSecret("security token", c.SecurityToken))
	}
	return err
}

func (p Project) check() error {
	return errors.Join(p.Endpoint.check(), checkedID("project id", projectIDForm, p.ID))
}

// #region answer

// accepted reads the result out of an answer; everything but a 200 with a JSON object is an error.
func accepted[Result any](got *answer, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, judged(toldByDLI(got))
	}
	var result *Result
	if err := json.Unmarshal(got.body, &result); err != nil || result == nil {
		return nil, &UnknownOutcomeError{Err: errors.New("a 200 without the JSON object of the document")}
	}
	return result, nil
}

// succeeded refuses what is a failure inside a 200: is_success with any value but true, null too. An answer without
// the member says nothing either way.
func succeeded(got *answer, isSuccess *bool, result *otcdli.SqlCancelResult) error {
	var told map[string]json.RawMessage
	if err := json.Unmarshal(got.body, &told); err != nil {
		return &UnknownOutcomeError{Err: errors.New("a 200 without the JSON object of the document")}
	}
	if _, ok := told["is_success"]; ok && (isSuccess == nil || !*isSuccess) {
		return &RefusedError{
			Status: got.status, RequestID: got.header.Get(requestIDHeader), Reason: "is_success is not true", Result: result,
		}
	}
	return nil
}

// toldByDLI reads an error that the service tells, whatever the status.
func toldByDLI(got *answer) *RefusedError {
	refused := &RefusedError{Status: got.status, RequestID: got.header.Get(requestIDHeader)}
	refused.DLI, refused.Gateway = dliError(got.body)
	switch {
	case refused.DLI != nil:
		refused.Code = refused.DLI.ErrorCode
	case refused.Gateway != nil:
		refused.Code = refused.Gateway.ErrorCode
	}
	return refused
}

// #endregion
