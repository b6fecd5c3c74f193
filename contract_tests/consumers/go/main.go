// Command consumer cancels jobs, or reads their states: consumer OPERATION JOB_ID...; where and as whom stands in the
// environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	"calloff.invalid/consumer/jobs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, jobs.ErrInvalidArgument) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// #region use

// A call says what to print of a job.
type call func(ctx context.Context, id string) (string, error)

var operations = map[string]func() (call, error){
	"tencent-ci/cancelInventoryTriggerJob": func() (call, error) { return with(ci, (*jobs.CI).CancelInventoryTriggerJob) },
	"tencent-ci/cancelAiJob":               func() (call, error) { return with(ci, (*jobs.CI).CancelAIJob) },
	"otc-dli/cancelBatchJob":               func() (call, error) { return with(otc, (*jobs.OTCDLI).CancelBatchJob) },
	"otc-dli/cancelSqlJob":                 func() (call, error) { return with(otc, (*jobs.OTCDLI).CancelSQLJob) },
	"huaweicloud-dli/cancelSqlJob":         func() (call, error) { return with(hwc, (*jobs.HuaweiCloudDLI).CancelSQLJob) },

	"tencent-ci/describeInventoryTriggerJob": func() (call, error) { return with(ci, (*jobs.CI).InventoryTriggerJob) },
	"tencent-ci/describeAiJob":               func() (call, error) { return with(ci, (*jobs.CI).AIJob) },
	"otc-dli/getBatchJobState":               func() (call, error) { return with(otc, (*jobs.OTCDLI).BatchJobState) },
	"otc-dli/getSqlJobStatus":                func() (call, error) { return with(otc, (*jobs.OTCDLI).SQLJobStatus) },
	"huaweicloud-dli/getSqlJobStatus":        func() (call, error) { return with(hwc, (*jobs.HuaweiCloudDLI).SQLJobStatus) },
}

func ci() (*jobs.CI, error) {
	key := jobs.CIKey{SecretID: os.Getenv("KEY_ID"), SecretKey: secret("SECRET_KEY")}
	return jobs.NewCI(jobs.Endpoint{URL: os.Getenv("ENDPOINT")}, key)
}

func otc() (*jobs.OTCDLI, error)         { return jobs.NewOTCDLI(project(), credential()) }
func hwc() (*jobs.HuaweiCloudDLI, error) { return jobs.NewHuaweiCloudDLI(project(), credential()) }

func project() jobs.Project {
	return jobs.Project{Endpoint: jobs.Endpoint{URL: os.Getenv("ENDPOINT")}, ID: os.Getenv("PROJECT_ID")}
}

func credential() jobs.DLICredential {
	return jobs.DLICredential{Token: secret("TOKEN"), AccessKey: os.Getenv("KEY_ID"), SecretKey: secret("SECRET_KEY")}
}

// #endregion

func secret(name string) jobs.Secret { return jobs.Secret(os.Getenv(name)) }

// with makes a client and binds one of its methods.
func with[Client, Result any](
	connect func() (Client, error), method func(Client, context.Context, string) (Result, error),
) (call, error) {
	client, err := connect()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, id string) (string, error) {
		result, err := method(client, ctx, id)
		if state, ok := any(result).(*jobs.JobState); ok && err == nil {
			return fmt.Sprintf("%q final=%t", state.State, state.Final), nil
		}
		return "accepted", err
	}, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || operations[args[0]] == nil {
		names := slices.Sorted(maps.Keys(operations))
		return fmt.Errorf("%w: the operation must be one of %s", jobs.ErrInvalidArgument, strings.Join(names, ", "))
	}
	call, err := operations[args[0]]()
	if err != nil {
		return err
	}
	for _, id := range args[1:] {
		told, err := call(ctx, id)
		if err != nil {
			return fmt.Errorf("%q: %w", id, err)
		}
		if _, err := fmt.Fprintf(out, "%s %s\n", id, told); err != nil {
			return err
		}
	}
	return nil
}
