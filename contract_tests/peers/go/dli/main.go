// Command dli cancels jobs with the official SDK: arguments are pairs of a call and an id; it prints a JSON line for each.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	dli "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dli/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dli/v1/model"
)

func main() {
	credentials, err := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("PEER_KEY_ID")).
		WithSk(os.Getenv("PEER_SECRET_KEY")).
		WithSecurityToken(os.Getenv("PEER_SECURITY_TOKEN")).
		WithProjectId(os.Getenv("PEER_PROJECT_ID")).
		SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	http, err := dli.DliClientBuilder().
		WithEndpoint(os.Getenv("PEER_ENDPOINT")).
		WithCredential(credentials).
		SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	client := dli.NewDliClient(http)
	for i := 1; i < len(os.Args); i += 2 {
		if err := json.NewEncoder(os.Stdout).Encode(cancel(client, os.Args[i], os.Args[i+1])); err != nil {
			log.Fatal(err)
		}
	}
}

func cancel(client *dli.DliClient, call, id string) map[string]any {
	if call == "cancelSqlJob" {
		answer, err := client.CancelSqlJob(&model.CancelSqlJobRequest{JobId: id})
		if err != nil {
			return refused(err)
		}
		return map[string]any{"status": answer.HttpStatusCode, "is_success": answer.IsSuccess, "message": answer.Message}
	}
	answer, err := client.CancelSparkJob(&model.CancelSparkJobRequest{BatchId: id})
	if err != nil {
		return refused(err)
	}
	return map[string]any{"status": answer.HttpStatusCode, "msg": answer.Msg}
}

func refused(err error) map[string]any {
	var told *sdkerr.ServiceResponseError
	if !errors.As(err, &told) {
		log.Fatal(err)
	}
	return map[string]any{
		"error": "ServiceResponseError", "status": told.StatusCode,
		"code": told.ErrorCode, "text": told.ErrorMessage, "request_id": told.RequestId,
	}
}
