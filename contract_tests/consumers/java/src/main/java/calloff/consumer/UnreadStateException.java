package calloff.consumer;

/** The state of a job could not be read. Nothing was changed: ask again. */
public final class UnreadStateException extends CancelException {
  private static final long serialVersionUID = 1;

  UnreadStateException(String reason, int status, String code, String requestId) {
    super(
        "the state of the job could not be read, ask again: " + reason,
        status,
        code,
        requestId,
        null);
  }
}
