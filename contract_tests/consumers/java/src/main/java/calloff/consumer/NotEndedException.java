package calloff.consumer;

import java.util.Optional;
import java.util.concurrent.TimeoutException;

/** A job had not ended when the wait for its end did. */
public final class NotEndedException extends TimeoutException {
  private static final long serialVersionUID = 1;

  private final transient JobState last;

  NotEndedException(JobState last, CancelException failure) {
    super(
        last == null
            ? "whether the job has ended is not known"
            : "the job has not ended, its state was " + last.state().replaceAll("[^!-~]", "?"));
    this.last = last;
    initCause(failure);
  }

  /** Returns the state that was read last, if any was. */
  public Optional<JobState> last() {
    return Optional.ofNullable(last);
  }
}
