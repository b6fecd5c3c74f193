package calloff.consumer;

/**
 * No answer, or none that decides: a 5xx, for one, may come after the cancel was done. Whether the
 * job is being cancelled only its state can tell.
 */
public final class UnknownOutcomeException extends CancelException {
  private static final long serialVersionUID = 1;
  private static final String UNKNOWN = "whether the cancel was accepted is not known: ";

  private final String reason;

  // Without a cause: what a parser says may quote an answer, and an answer what was sent.
  UnknownOutcomeException(String reason) {
    super(UNKNOWN + reason, 0, "", "", null);
    this.reason = reason;
  }

  UnknownOutcomeException(int status, String code, String requestId, Object body) {
    super(UNKNOWN + "the service answered with", status, code, requestId, body);
    reason = "the service answered with";
  }

  /** Makes of what a cancel throws what reading throws. */
  UnreadStateException unread() {
    return new UnreadStateException(reason, status(), code(), requestId());
  }
}
