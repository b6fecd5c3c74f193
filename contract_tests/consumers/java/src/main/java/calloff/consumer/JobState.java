package calloff.consumer;

import java.util.Map;

/**
 * What a service says of a job at this moment.
 *
 * @param state the vendor's own word; the list is open
 * @param isFinal whether it is known not to change any more; of a word that the vendor does not
 *     document it is not
 */
public record JobState(String state, boolean isFinal, String requestId) {
  /** The documented states of each kind of job, and whether they are final. */
  static final Map<String, Boolean> CI =
      Map.of(
          "Submitted", false,
          "Running", false,
          "Pause", false,
          "Success", true,
          "Failed", true,
          "Cancel", true);

  static final Map<String, Boolean> SQL =
      Map.of(
          "LAUNCHING", false,
          "RUNNING", false,
          "SCALING", false,
          "FINISHED", true,
          "FAILED", true,
          "CANCELLED", true);

  static final Map<String, Boolean> BATCH =
      Map.of(
          "starting", false, "running", false, "recovering", false, "success", true, "dead", true);

  /** Takes a state for that of the job that was asked for, if the answer names no other. */
  static JobState of(
      String id, String named, String state, Map<String, Boolean> states, String requestId)
      throws UnreadStateException {
    boolean same = named == null || named.equalsIgnoreCase(id);
    if (!same || state == null || state.isEmpty()) {
      throw new UnreadStateException("a 200 without a state of this job", 0, "", "");
    }
    return new JobState(state, states.getOrDefault(state, false), requestId);
  }
}
