package jobs

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

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

// An UnreadStateError says that the state of a job could not be read. Nothing was changed: ask again. It wraps the
// cause, such as context.DeadlineExceeded or an UnclearAnswerError.
type UnreadStateError struct{ Err error }

func (e *UnreadStateError) Error() string {
	return fmt.Sprintf("the state of the job could not be read, ask again: %v", e.Err)
}

func (e *UnreadStateError) Unwrap() error { return e.Err }

// unread makes of what a cancel tells what reading tells.
func unread(err error) error {
	if unknown := new(UnknownOutcomeError); errors.As(err, &unknown) {
		return &UnreadStateError{Err: unknown.Err}
	}
	return err
}

// #region refused

// A RefusedError says that the service said no: by a 4xx, a redirect, or a failure inside a 200. The status decides,
// so a 4xx whose body cannot be read is one too. Of what the service told at most one is not nil, and none where the
// body does not keep to the contract.
type RefusedError struct {
	Status    int
	Code      string
	RequestID string
	// Reason says what the refusal is where neither status nor code does.
	Reason string

	CI      *tencentci.CiError
	DLI     *otcdli.DliError
	Gateway *otcdli.GatewayError
	Result  *otcdli.SqlCancelResult
}

// An UnclearAnswerError is in an UnknownOutcomeError where there is an answer that says neither yes nor no: a 5xx, which
// may have come after the cancel was done, or a 2xx that is not in the contract.
type UnclearAnswerError RefusedError

// #endregion

func (e *RefusedError) Error() string { return "the service refused with " + e.said() }

func (e *UnclearAnswerError) Error() string {
	return "the service answered with " + (*RefusedError)(e).said()
}

// said leaves out words of the service that would forge a line of a log.
func (e *RefusedError) said() string {
	text := strconv.Itoa(e.Status)
	if wordForm.MatchString(e.Code) {
		text += " " + e.Code
	}
	if e.Reason != "" {
		text += ", " + e.Reason
	}
	if wordForm.MatchString(e.RequestID) {
		text += ", request " + e.RequestID
	}
	return text
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

// ciError reads an XML error of CI, or gives nil. One that tells no more than its code is one.
func ciError(body []byte) *tencentci.CiError {
	var told tencentci.CiError
	if !readXML(body, "Error", &told) || told.Code == "" {
		return nil
	}
	return &told
}

// readXML reads the one element of an answer, and says whether it is there. The decoder knows the five entities of XML
// alone and loads nothing; a document type is refused all the same.
func readXML(body []byte, name string, told any) bool {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		switch token := token.(type) {
		case xml.Directive:
			return false
		case xml.StartElement:
			return token.Name.Local == name && decoder.DecodeElement(told, &token) == nil
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
