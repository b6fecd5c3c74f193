package jobs

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"calloff.invalid/clients/huaweiclouddlistatus"
	"calloff.invalid/clients/otcdlistatus"
)

// A JobState is what a service says of a job at this moment.
type JobState struct {
	// State is the vendor's own word. The list is open.
	State string
	// Final says that the state is known not to change any more; of a word that the vendor does not document it is not.
	Final     bool
	RequestID string
}

// The documented states of each kind of job, and whether they are final.
var (
	ciStates = map[string]bool{
		"Submitted": false, "Running": false, "Pause": false, "Success": true, "Failed": true, "Cancel": true,
	}
	sqlStates = map[string]bool{
		"LAUNCHING": false, "RUNNING": false, "SCALING": false, "FINISHED": true, "FAILED": true, "CANCELLED": true,
	}
	batchStates = map[string]bool{
		"starting": false, "running": false, "recovering": false, "success": true, "dead": true,
	}
)

// AIJob reads the state of an AI job.
func (c *CI) AIJob(ctx context.Context, id string) (*JobState, error) {
	if err := checkedID("job id", ciJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := c.endpoint.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return c.status.DescribeAiJob(ctx, id)
	})
	return ciState(got, err, id)
}

// InventoryTriggerJob reads the state of a batch job.
func (c *CI) InventoryTriggerJob(ctx context.Context, id string) (*JobState, error) {
	if err := checkedID("job id", ciJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := c.endpoint.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return c.status.DescribeInventoryTriggerJob(ctx, id)
	})
	return ciState(got, err, id)
}

// BatchJobState reads the state of a Spark batch. It ends as `dead` whether it was cancelled or failed.
func (d *OTCDLI) BatchJobState(ctx context.Context, id string) (*JobState, error) {
	if err := checkedID("batch id", batchIDForm, id); err != nil {
		return nil, err
	}
	got, err := d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.status.GetBatchJobState(ctx, d.project.ID, id)
	})
	told, err := accepted[otcdlistatus.BatchState](got, err)
	if err != nil {
		return nil, unread(err)
	}
	if told.State != nil {
		// An example of the vendor has a capital, against the vendor's table.
		lower := strings.ToLower(*told.State)
		if _, known := batchStates[lower]; known {
			told.State = &lower
		}
	}
	return dliState(got, id, told.Id, told.State, batchStates)
}

// #region state

// SQLJobStatus reads the state of a SQL job.
func (d *OTCDLI) SQLJobStatus(ctx context.Context, id string) (*JobState, error) {
	if err := checkedID("job id", sqlJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.status.GetSqlJobStatus(ctx, d.project.ID, id)
	})
	told, err := accepted[otcdlistatus.SqlJobStatus](got, err)
	if err == nil {
		err = succeeded(got, told.IsSuccess, nil)
	}
	if err != nil {
		return nil, unread(err)
	}
	return dliState(got, id, told.JobId, told.Status, sqlStates)
}

// #endregion

// SQLJobStatus reads the state of a SQL job.
func (d *HuaweiCloudDLI) SQLJobStatus(ctx context.Context, id string) (*JobState, error) {
	if err := checkedID("job id", sqlJobIDForm, id); err != nil {
		return nil, err
	}
	got, err := d.project.call(ctx, func(ctx context.Context) (*http.Response, error) {
		return d.status.GetSqlJobStatus(ctx, d.project.ID, id)
	})
	told, err := accepted[huaweiclouddlistatus.SqlJobStatus](got, err)
	if err == nil {
		err = succeeded(got, told.IsSuccess, nil)
	}
	if err != nil {
		return nil, unread(err)
	}
	return dliState(got, id, told.JobId, told.Status, sqlStates)
}

// dliState takes the state for that of the job that was asked for, if the answer names no other.
func dliState(got *answer, id string, named, state *string, states map[string]bool) (*JobState, error) {
	if refused := toldByDLI(got); refused.Code != "" {
		return nil, refused // An error inside a 200.
	}
	if named != nil && !strings.EqualFold(*named, id) || state == nil || *state == "" {
		return nil, &UnreadStateError{Err: errors.New("a 200 without a state of this job")}
	}
	return &JobState{State: *state, Final: states[*state], RequestID: got.header.Get(requestIDHeader)}, nil
}

// ciState reads the state out of an answer of CI, which says in a 200 too that it knows no such job. The generated types
// cannot read the XML: they have the names of members for JSON alone.
func ciState(got *answer, err error, id string) (*JobState, error) {
	if err != nil {
		return nil, unread(err)
	}
	if got.status != http.StatusOK {
		return nil, unread(refusedByCI(got))
	}
	var told struct {
		Jobs []struct {
			ID    string `xml:"JobId"`
			State string `xml:"State"`
		} `xml:"JobsDetail"`
		Unknown []string `xml:"NonExistJobIds"`
	}
	if !readXML(got.body, "Response", &told) {
		return nil, &UnreadStateError{Err: errors.New("a 200 without the XML of the document")}
	}
	requestID := got.header.Get(ciRequestIDHeader)
	if slices.Contains(told.Unknown, id) {
		return nil, &RefusedError{Status: got.status, RequestID: requestID, Reason: "the service knows no such job"}
	}
	if len(told.Jobs) != 1 || cmp.Or(told.Jobs[0].ID, id) != id || told.Jobs[0].State == "" {
		return nil, &UnreadStateError{Err: errors.New("a 200 without a state of this job")}
	}
	state := told.Jobs[0].State
	return &JobState{State: state, Final: ciStates[state], RequestID: requestID}, nil
}
