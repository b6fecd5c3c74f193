// What became of a cancel: the state of a job, and its end.
import { setTimeout } from "node:timers/promises";
import {
  InvalidArgumentError,
  RefusedError,
  UnknownOutcomeError,
  UnreadStateError,
} from "./errors.js";

/** What a service says of a job at this moment. */
export interface JobState {
  /** The vendor's own word; the list is open. */
  readonly state: string;
  /** Whether it is known not to change any more; of a word that the vendor does not document it is not. */
  readonly final: boolean;
  readonly requestId: string;
}

/** The documented states of a kind of job, and whether they are final. */
export type States = ReadonlyMap<string, boolean>;

const states = (open: readonly string[], final: readonly string[]): States =>
  new Map([
    ...open.map((word) => [word, false] as const),
    ...final.map((word) => [word, true] as const),
  ]);

export const CI_STATES = states(["Submitted", "Running", "Pause"], ["Success", "Failed", "Cancel"]);
export const SQL_STATES = states(
  ["LAUNCHING", "RUNNING", "SCALING"],
  ["FINISHED", "FAILED", "CANCELLED"],
);
export const BATCH_STATES = states(["starting", "running", "recovering"], ["success", "dead"]);

/** Reads the state of a job, as `sqlJobStatus` of `otcDli` does. */
export type Reader = (id: string) => Promise<JobState>;

export interface Waiting {
  /** Ends the wait, such as `AbortSignal.timeout(600_000)`; an answer on its way is waited for, up to the timeout. */
  readonly signal: AbortSignal;
  /** Milliseconds between two answers. Default: 5,000. */
  readonly pause?: number;
  /** Returns after so many milliseconds, or when the signal is aborted. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** A job had not ended when the signal was aborted; `last` is the state read last. `cause` is the reason. */
export class NotEndedError extends Error {
  override readonly name = "NotEndedError";

  constructor(
    readonly last: JobState | undefined,
    cause: unknown,
  ) {
    super(
      last === undefined
        ? "whether the job has ended is not known"
        : `the job has not ended, its state was ${JSON.stringify(last.state)}`,
      { cause },
    );
  }
}

// #region wait
/**
 * Reads the state of a job, and again after each pause, until it is final or the signal is aborted. A state that cannot
 * be read, or not so often (429), is asked for again; a refusal ends the wait.
 */
export async function waitUntilEnded(
  read: Reader,
  id: string,
  waiting: Waiting,
): Promise<JobState> {
  const { signal, pause = 5_000, sleep = sleeping } = waiting;
  if (!(pause > 0)) throw new InvalidArgumentError("the pause must be longer than nothing");
  let last: JobState | undefined;
  let cause: unknown;
  while (!signal.aborted) {
    try {
      last = await read(id);
      if (last.final) return last;
      cause = undefined;
    } catch (failure) {
      const passing =
        failure instanceof UnreadStateError ||
        (failure instanceof RefusedError && failure.status === 429);
      if (!passing) throw failure;
      cause = failure;
    }
    await sleep(pause, signal);
  }
  throw new NotEndedError(last, cause ?? signal.reason);
}

async function sleeping(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal }).catch(() => undefined);
}
// #endregion

// #region decide
/**
 * Cancels a job and waits for its end, as `waitUntilEnded` does. Where the answer to the cancel is unclear the state
 * decides. The job may have ended otherwise than by the cancel: look at the state. A NotEndedError leaves it to the
 * caller to cancel once more.
 */
export async function cancelAndWait(
  cancel: (id: string) => Promise<unknown>,
  read: Reader,
  id: string,
  waiting: Waiting,
): Promise<JobState> {
  try {
    await cancel(id);
  } catch (failure) {
    if (!(failure instanceof UnknownOutcomeError)) throw failure;
  }
  return waitUntilEnded(read, id, waiting);
}
// #endregion
