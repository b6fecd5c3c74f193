package calloff.consumer;

import java.util.Optional;
import java.util.regex.Pattern;

/** What can go wrong once a request was sent; no message holds a credential. */
public abstract sealed class CancelException extends Exception
    permits RefusedException, UnknownOutcomeException, UnreadStateException {
  private static final long serialVersionUID = 1;

  /** Anything else could forge a line of a log. */
  private static final Pattern WORD = Pattern.compile("[!-~]{1,64}");

  private final int status;
  private final String code;
  private final String requestId;
  private final transient Object body;

  CancelException(String message, int status, String code, String requestId, Object body) {
    super(status == 0 ? message : said(message, status, code, requestId));
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.body = body;
  }

  /** Tells a refusal from an answer that leaves the outcome unknown. */
  static CancelException of(int status, String code, String requestId, Object body) {
    return status < 300 || status >= 500
        ? new UnknownOutcomeException(status, code, requestId, body)
        : new RefusedException(status, code, requestId, body);
  }

  private static String said(String what, int status, String code, String requestId) {
    String answer = what + " " + status;
    String named = WORD.matcher(code).matches() ? answer + " " + code : answer;
    return WORD.matcher(requestId).matches() ? named + ", request " + requestId : named;
  }

  /** Returns the status of HTTP, 0 where no answer could be read; branch on it. */
  public int status() {
    return status;
  }

  /** Returns the vendor's word for the error, empty where none could be read; the list is open. */
  public String code() {
    return code;
  }

  /** Returns what to name when asking the vendor, empty where it was not told. */
  public String requestId() {
    return requestId;
  }

  /**
   * Returns what the service told, where it keeps to the contract.
   *
   * @param type {@code CiError}, {@code DliError} or {@code GatewayError} of the client in use, or
   *     {@code SqlCancelResult} for a failure inside a 200
   */
  public <T> Optional<T> body(Class<T> type) {
    return Optional.ofNullable(body).filter(type::isInstance).map(type::cast);
  }
}
