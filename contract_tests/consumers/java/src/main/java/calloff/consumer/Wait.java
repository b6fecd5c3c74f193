package calloff.consumer;

import java.time.Duration;

/** Waits for the end of a job. */
public final class Wait {
  /** Reads the state of a job, as {@code otc::sqlJobStatus} does. */
  public interface Reader {
    JobState of(String id) throws CancelException;
  }

  /** Cancels a job, as {@code otc::cancelSqlJob} does. */
  public interface Cancel {
    Object of(String id) throws CancelException;
  }

  /** What goes by meanwhile. */
  interface Time {
    long nanoseconds();

    void sleep(Duration pause) throws InterruptedException;
  }

  private static final Time REAL =
      new Time() {
        @Override
        public long nanoseconds() {
          return System.nanoTime();
        }

        @Override
        public void sleep(Duration pause) throws InterruptedException {
          Thread.sleep(pause.toMillis());
        }
      };

  private final Duration limit;
  private final Duration pause;
  private final Time time;

  /**
   * Waits no longer than a limit; an answer on its way is waited for, up to the timeout.
   *
   * @param pause between two answers
   */
  public Wait(Duration limit, Duration pause) {
    this(limit, pause, REAL);
  }

  Wait(Duration limit, Duration pause, Time time) {
    if (pause.toMillis() <= 0) {
      throw new IllegalArgumentException("the pause must be a millisecond or longer");
    }
    this.limit = limit;
    this.pause = pause;
    this.time = time;
  }

  // #region wait
  /**
   * Reads the state of a job, and again after each pause, until it is final. A state that cannot be
   * read, or not so often (429), is asked for again; a refusal ends the wait.
   */
  public JobState untilEnded(Reader read, String id)
      throws CancelException, NotEndedException, InterruptedException {
    long began = time.nanoseconds();
    JobState last = null;
    CancelException failure = null;
    while (true) {
      try {
        last = read.of(id);
        if (last.isFinal()) {
          return last;
        }
        failure = null;
      } catch (CancelException e) {
        if (!(e instanceof UnreadStateException) && e.status() != 429) {
          throw e;
        }
        failure = e;
      }
      Duration left = limit.minusNanos(time.nanoseconds() - began);
      if (left.toMillis() <= 0) {
        throw new NotEndedException(last, failure);
      }
      time.sleep(left.compareTo(pause) < 0 ? left : pause);
    }
  }

  // #endregion

  // #region decide
  /**
   * Cancels a job and waits for its end. Where the answer to the cancel is unclear the state
   * decides. The job may have ended otherwise than by the cancel: look at the state. A {@code
   * NotEndedException} leaves it to the caller to cancel once more.
   */
  public JobState cancelAndWait(Cancel cancel, Reader read, String id)
      throws CancelException, NotEndedException, InterruptedException {
    try {
      cancel.of(id);
    } catch (UnknownOutcomeException e) {
      // Read the state, then decide.
    }
    return untilEnded(read, id);
  }
  // #endregion
}
