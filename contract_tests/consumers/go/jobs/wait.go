package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A NotEndedError says that a job had not ended when its context did. Last is the state read last, nil if none was.
// It wraps the reason, such as context.DeadlineExceeded.
type NotEndedError struct {
	Last *JobState
	Err  error
}

func (e *NotEndedError) Error() string {
	if e.Last == nil {
		return fmt.Sprintf("whether the job has ended is not known: %v", e.Err)
	}
	return fmt.Sprintf("the job has not ended, its state was %q: %v", e.Last.State, e.Err)
}

func (e *NotEndedError) Unwrap() error { return e.Err }

// A Reader reads the state of a job, as (*OTCDLI).SQLJobStatus does.
type Reader func(ctx context.Context, id string) (*JobState, error)

// #region wait

// WaitUntilEnded reads the state of a job, and again after each pause, until it is final or the context ends: give it
// one with a deadline. A state that cannot be read, or not so often (429), is asked for again; a refusal ends it.
func WaitUntilEnded(ctx context.Context, read Reader, id string, pause time.Duration) (*JobState, error) {
	if pause <= 0 {
		return nil, fmt.Errorf("%w: the pause must be longer than nothing", ErrInvalidArgument)
	}
	var last *JobState
	for {
		state, err := read(ctx, id)
		if err == nil && state.Final {
			return state, nil
		}
		if err != nil && !passing(err) {
			return nil, err
		}
		if err == nil {
			last = state
		}
		select {
		case <-ctx.Done():
			cause := context.Cause(ctx)
			if err != nil {
				cause = fmt.Errorf("%w; %w", cause, err)
			}
			return nil, &NotEndedError{Last: last, Err: cause}
		case <-time.After(pause):
		}
	}
}

// passing says whether to ask again is of use.
func passing(err error) bool {
	var refused *RefusedError
	return errors.As(err, new(*UnreadStateError)) ||
		errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests
}

// #endregion

// #region decide

// CancelAndWait cancels a job and waits for its end, as WaitUntilEnded does. Where the answer to the cancel is unclear
// the state decides. The job may have ended otherwise than by the cancel: look at the state. A NotEndedError leaves it
// to the caller to cancel once more.
func CancelAndWait[Result any](
	ctx context.Context, cancel func(context.Context, string) (Result, error), read Reader, id string, pause time.Duration,
) (*JobState, error) {
	_, err := cancel(ctx, id)
	if err != nil && !errors.As(err, new(*UnknownOutcomeError)) {
		return nil, err
	}
	return WaitUntilEnded(ctx, read, id, pause)
}

// #endregion
