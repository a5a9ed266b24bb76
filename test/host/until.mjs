// Waits for a condition, never for a time: asks ten times a second, and says what it waited for when it gives up.
import { setTimeout as pause } from 'node:timers/promises';

const pollMs = 100;

/**
 * The first truthy answer of `condition`.
 * @template T
 * @param {string} what completes the sentence "waited for …"
 * @param {() => T | Promise<T>} condition
 * @param {number} [timeoutMs]
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, condition, timeoutMs = 60_000) {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await pause(pollMs);
  }
}
