package calloff.consumer;

/** What can go wrong once a request was sent; no message holds a credential. */
public abstract sealed class CancelException extends Exception
    permits RefusedException, UnknownOutcomeException {
  private static final long serialVersionUID = 1;

  CancelException(String message) {
    super(message);
  }
}
