package calloff.consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a wait does with what it is told; the clock is here. */
class WaitTest {
  private static final JobState RUNNING = new JobState("RUNNING", false, "");
  private static final JobState ENDED = new JobState("CANCELLED", true, "");
  private final UnreadStateException unread =
      new UnreadStateException("the connection failed", 0, "", "");

  private static RefusedException refused(int status) {
    return new RefusedException(status, "", "", null);
  }

  /** A clock that goes on while somebody sleeps. */
  private static final class Clock implements Wait.Time {
    private long now;

    @Override
    public long nanoseconds() {
      return now;
    }

    @Override
    public void sleep(Duration pause) {
      now += pause.toNanos();
    }
  }

  private final Clock clock = new Clock();
  private final Wait wait = new Wait(Duration.ofMillis(2500), Duration.ofSeconds(1), clock);

  /** Tells one thing after the other, and the last for ever. */
  private static Wait.Reader telling(Object... words) {
    var left = new ArrayDeque<Object>(List.of(words));
    return id -> {
      Object word = left.size() > 1 ? left.remove() : left.element();
      if (word instanceof CancelException failure) {
        throw failure;
      }
      return (JobState) word;
    };
  }

  @Test
  void itAsksUntilTheStateIsFinal() throws Exception {
    assertEquals(ENDED, wait.untilEnded(telling(ENDED), "j"));
    assertEquals(0, clock.now);

    assertEquals(ENDED, wait.untilEnded(telling(RUNNING, unread, refused(429), ENDED), "j"));
    assertEquals(2_500_000_000L, clock.now);
  }

  @Test
  void itEndsWithItsLimit() {
    var notEnded =
        assertThrows(NotEndedException.class, () -> wait.untilEnded(telling(RUNNING), "j"));

    assertEquals("the job has not ended, its state was RUNNING", notEnded.getMessage());
    assertEquals(Optional.of(RUNNING), notEnded.last());
    assertEquals(2_500_000_000L, clock.now);
  }

  @Test
  void thatNothingWasReadIsTold() {
    var notEnded =
        assertThrows(NotEndedException.class, () -> wait.untilEnded(telling(unread), "j"));

    assertEquals(Optional.empty(), notEnded.last());
    assertEquals(unread, notEnded.getCause());
  }

  @Test
  void aRefusalEndsIt() {
    assertThrows(RefusedException.class, () -> wait.untilEnded(telling(refused(403), ENDED), "j"));
  }

  @Test
  void aRefusedCancelIsNotWaitedFor() {
    Wait.Cancel cancel =
        id -> {
          throw refused(403);
        };
    Wait.Reader read =
        id -> {
          throw new AssertionError("it is read");
        };

    assertThrows(RefusedException.class, () -> wait.cancelAndWait(cancel, read, "j"));
  }

  @Test
  void aPauseOfNothingIsRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> new Wait(Duration.ofSeconds(1), Duration.ZERO));
  }
}
