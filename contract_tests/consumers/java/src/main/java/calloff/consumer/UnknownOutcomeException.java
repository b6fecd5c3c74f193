package calloff.consumer;

/**
 * No answer, or none that can be read: whether the job is being cancelled only its state can tell.
 */
public final class UnknownOutcomeException extends CancelException {
  private static final long serialVersionUID = 1;

  // Without a cause: what a parser says may quote an answer, and an answer what was sent.
  UnknownOutcomeException(String reason) {
    super("whether the cancel was accepted is not known: " + reason);
  }
}
