package calloff.consumer;

import java.util.Optional;

/** The service said no. */
public final class RefusedException extends CancelException {
  private static final long serialVersionUID = 1;

  private final int status;
  private final String code;
  private final String requestId;
  private final transient Object body;

  RefusedException(int status, String code, String requestId, Object body) {
    super(("the service refused with " + status + " " + code).stripTrailing());
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.body = body;
  }

  /** Returns the status of HTTP; branch on it. */
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
   * @param type {@code CiError}, {@code DliError} or {@code GatewayError} of the client in use
   */
  public <T> Optional<T> body(Class<T> type) {
    return Optional.ofNullable(body).filter(type::isInstance).map(type::cast);
  }
}
