package jobs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"calloff.invalid/consumer/jobs"
)

// What a wait does with what is told; the clock is that of the bubble.

var (
	running = told{state: &jobs.JobState{State: "RUNNING"}}
	ended   = told{state: &jobs.JobState{State: "CANCELLED", Final: true}}
	lost    = told{err: &jobs.UnreadStateError{Err: io.ErrUnexpectedEOF}}
	busy    = told{err: &jobs.RefusedError{Status: http.StatusTooManyRequests}}
	refused = told{err: &jobs.RefusedError{Status: http.StatusForbidden}}
)

type told struct {
	state *jobs.JobState
	err   error
}

// telling gives one word after the other, and the last for ever.
func tellingStates(words ...told) jobs.Reader {
	return func(context.Context, string) (*jobs.JobState, error) {
		word := words[0]
		if len(words) > 1 {
			words = words[1:]
		}
		return word.state, word.err
	}
}

func TestWaitAsksUntilTheStateIsFinal(t *testing.T) {
	for name, words := range map[string][]told{
		"ended already":            {ended},
		"ends":                     {running, running, ended},
		"cannot be read meanwhile": {running, lost, ended},
		"too many requests":        {busy, ended},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				began := time.Now()

				state, err := jobs.WaitUntilEnded(ctx, tellingStates(words...), sqlJob, time.Second)

				if err != nil || state.State != "CANCELLED" {
					t.Errorf("it is told %+v, %v", state, err)
				}
				if took, want := time.Since(began), time.Duration(len(words)-1)*time.Second; took != want {
					t.Errorf("it takes %s, want %s", took, want)
				}
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	for name, test := range map[string]struct {
		words []told
		want  string
	}{
		"running": {[]told{running}, `the job has not ended, its state was "RUNNING": context deadline exceeded`},
		"unread": {[]told{lost}, "whether the job has ended is not known: context deadline exceeded; " +
			"the state of the job could not be read, ask again: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer stop()
				began := time.Now()

				_, err := jobs.WaitUntilEnded(ctx, tellingStates(test.words...), sqlJob, time.Second)

				if err == nil || err.Error() != test.want || !errors.As(err, new(*jobs.NotEndedError)) ||
					!errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it says %v, want %s", err, test.want)
				}
				if took := time.Since(began); took != 2500*time.Millisecond {
					t.Errorf("it takes %s", took)
				}
			})
		})
	}
}

func TestWaitEndsWithARefusal(t *testing.T) {
	_, err := jobs.WaitUntilEnded(t.Context(), tellingStates(refused, ended), sqlJob, time.Hour)

	if got := refusal(t, err); got.Status != http.StatusForbidden {
		t.Errorf("it is refused with %d", got.Status)
	}
}

func TestWaitWithoutAPauseIsRefused(t *testing.T) {
	_, err := jobs.WaitUntilEnded(t.Context(), tellingStates(ended), sqlJob, 0)

	if !errors.Is(err, jobs.ErrInvalidArgument) {
		t.Fatal(err)
	}
}

func TestStateIsNotAskedForAfterARefusedCancel(t *testing.T) {
	cancel := func(context.Context, string) (string, error) { return "", refused.err }
	read := func(context.Context, string) (*jobs.JobState, error) { t.Error("it is read"); return ended.state, nil }

	_, err := jobs.CancelAndWait(t.Context(), cancel, read, sqlJob, time.Hour)

	refusal(t, err)
}
