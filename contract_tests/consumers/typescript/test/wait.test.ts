// What a wait does with what it is told; the clock is here.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { InvalidArgumentError, RefusedError, UnreadStateError } from "../src/errors.js";
import { cancelAndWait, type JobState, NotEndedError, waitUntilEnded } from "../src/state.js";

const RUNNING = { state: "RUNNING", final: false, requestId: "" };
const ENDED = { state: "CANCELLED", final: true, requestId: "" };
const UNREAD = new UnreadStateError("the connection failed");
const refused = (status: number) => new RefusedError(status, "", "", undefined);

/** Tells one thing after the other, and the last for ever. */
function telling(...words: (JobState | Error)[]) {
  return () => {
    const word = words.length > 1 ? words.shift() : words[0];
    return word instanceof Error || word === undefined
      ? Promise.reject(word ?? new Error("nothing to tell"))
      : Promise.resolve(word);
  };
}

/** A clock that goes on while somebody sleeps, and rings after so many milliseconds. */
function clock(deadline: number) {
  const controller = new AbortController();
  const slept: number[] = [];
  const sleep = (milliseconds: number) => {
    slept.push(milliseconds);
    if (slept.reduce((sum, each) => sum + each) >= deadline) controller.abort();
    return Promise.resolve();
  };
  return { signal: controller.signal, pause: 1_000, sleep, slept };
}

suite("a wait", () => {
  for (const words of [
    [ENDED],
    [RUNNING, RUNNING, ENDED],
    [RUNNING, UNREAD, ENDED],
    [refused(429), ENDED],
  ]) {
    test(`asks ${words.length} times until the state is final`, async () => {
      const waiting = clock(60_000);

      assert.equal(await waitUntilEnded(telling(...words), "j", waiting), ENDED);

      assert.deepEqual(waiting.slept, Array(words.length - 1).fill(1_000));
    });
  }

  test("ends with its signal", async () => {
    const waiting = clock(3_000);

    await assert.rejects(
      waitUntilEnded(telling(RUNNING), "j", waiting),
      (error) =>
        error instanceof NotEndedError &&
        error.last === RUNNING &&
        error.message === 'the job has not ended, its state was "RUNNING"' &&
        error.cause === waiting.signal.reason,
    );

    assert.equal(waiting.slept.length, 3);
  });

  test("that read nothing tells why", async () => {
    await assert.rejects(
      waitUntilEnded(telling(UNREAD), "j", clock(1)),
      (error) =>
        error instanceof NotEndedError && error.last === undefined && error.cause === UNREAD,
    );
  });

  test("sleeps no longer than its signal lets it", async () => {
    const controller = new AbortController();
    const read = () => {
      setImmediate(() => {
        controller.abort();
      });
      return Promise.resolve(RUNNING);
    };

    const waiting = { signal: controller.signal, pause: 86_400_000 };

    await assert.rejects(waitUntilEnded(read, "j", waiting), NotEndedError);
  });

  test("ends with a refusal", async () => {
    await assert.rejects(waitUntilEnded(telling(refused(403), ENDED), "j", clock(1)), RefusedError);
  });

  test("without a pause is refused", async () => {
    const waiting = { ...clock(1), pause: 0 };
    await assert.rejects(waitUntilEnded(telling(ENDED), "j", waiting), InvalidArgumentError);
  });

  test("does not follow a refused cancel", async () => {
    const cancel = () => Promise.reject(refused(403));
    const read = () => assert.fail("it is read");

    await assert.rejects(cancelAndWait(cancel, read, "j", clock(1)), RefusedError);
  });
});
