// Command cos calls the official SDK's cancel of batch jobs: arguments are their ids; it prints a JSON line for each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/tencentyun/cos-go-sdk-v5"
)

func main() {
	bucket := &url.URL{Scheme: "http", Host: os.Getenv("PEER_HOST")}
	client := cos.NewClient(&cos.BaseURL{CIURL: bucket}, &http.Client{
		Transport: &cos.AuthorizationTransport{
			SecretID:     os.Getenv("PEER_KEY_ID"),
			SecretKey:    os.Getenv("PEER_SECRET_KEY"),
			SessionToken: os.Getenv("PEER_SECURITY_TOKEN"),
			Transport:    &http.Transport{DialContext: dial},
		},
	})
	for _, id := range os.Args[1:] {
		if err := json.NewEncoder(os.Stdout).Encode(cancel(client, id)); err != nil {
			log.Fatal(err)
		}
	}
}

// dial connects to one address, whatever the host of the bucket.
func dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, os.Getenv("PEER_ADDRESS"))
}

func cancel(client *cos.Client, id string) map[string]any {
	answer, err := client.CI.CancelInventoryTriggerJob(context.Background(), id)
	if err == nil {
		return map[string]any{"status": answer.StatusCode}
	}
	var told *cos.ErrorResponse
	if !errors.As(err, &told) {
		log.Fatal(err)
	}
	return map[string]any{
		"error": "ErrorResponse", "status": told.Response.StatusCode,
		"code": told.Code, "text": told.Message, "request_id": told.RequestID,
	}
}
