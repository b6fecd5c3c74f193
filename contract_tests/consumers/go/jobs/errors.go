package jobs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"calloff.invalid/clients/otcdli"
	"calloff.invalid/clients/tencentci"
)

// ErrInvalidArgument says that what was given cannot be sent; nothing was.
var ErrInvalidArgument = errors.New("invalid argument")

// unsendable tells what a signer refused as an invalid argument.
func unsendable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
}

// An UnknownOutcomeError says that there is no answer, or none that can be read: whether the job is being cancelled
// only its state can tell. It wraps the cause, such as context.DeadlineExceeded or an UnclearAnswerError.
type UnknownOutcomeError struct{ Err error }

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("whether the cancel was accepted is not known: %v", e.Err)
}

func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// #region refused

// A RefusedError says that the service said no: by a 4xx, a redirect, or a failure inside a 200. Of what it told at
// most one is not nil, and none where the body does not keep to the contract.
type RefusedError struct {
	Status    int
	Code      string
	RequestID string

	CI      *tencentci.CiError
	DLI     *otcdli.DliError
	Gateway *otcdli.GatewayError
	Result  *otcdli.SqlCancelResult
}

// An UnclearAnswerError is in an UnknownOutcomeError where there is an answer that says neither yes nor no: a 5xx, which
// may have come after the cancel was done, or a 2xx that is not in the contract.
type UnclearAnswerError RefusedError

// #endregion

func (e *RefusedError) Error() string { return said("the service refused with", e.Status, e.Code) }

func (e *UnclearAnswerError) Error() string {
	return said("the service answered with", e.Status, e.Code)
}

// said leaves out a code that would forge a line of a log.
func said(what string, status int, code string) string {
	if !wordForm.MatchString(code) {
		return fmt.Sprintf("%s %d", what, status)
	}
	return fmt.Sprintf("%s %d %s", what, status, code)
}

var wordForm = regexp.MustCompile(`^[!-~]{1,64}$`)

// judged tells a refusal from an answer that leaves the outcome unknown.
func judged(told *RefusedError) error {
	if told.Status < http.StatusMultipleChoices || told.Status >= http.StatusInternalServerError {
		return &UnknownOutcomeError{Err: (*UnclearAnswerError)(told)}
	}
	return told
}

// #region xml

// ciError reads an XML error of CI, or gives nil. The decoder knows the five entities of XML alone and loads nothing;
// a document type is refused all the same.
func ciError(body []byte) *tencentci.CiError {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil
		case xml.StartElement:
			var told tencentci.CiError
			err := decoder.DecodeElement(&told, &token)
			if err != nil || token.Name.Local != "Error" || told.Code == "" || told.RequestId == "" {
				return nil
			}
			return &told
		}
	}
}

// #endregion

// dliError reads an error of the gateway, which has a request id, or of DLI behind it, or gives two nils.
func dliError(body []byte) (*otcdli.DliError, *otcdli.GatewayError) {
	var told otcdli.GatewayError
	if err := json.Unmarshal(body, &told); err != nil || told.ErrorCode == "" {
		return nil, nil
	}
	if told.RequestId != "" {
		return nil, &told
	}
	return &otcdli.DliError{
		ErrorCode: told.ErrorCode, ErrorMsg: told.ErrorMsg, AdditionalProperties: told.AdditionalProperties,
	}, nil
}
