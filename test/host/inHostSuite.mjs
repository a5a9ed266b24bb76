// A list of tests to run inside the extension host, one after the other, with nothing to install. The module that
// holds them exports `run`, so @vscode/test-electron takes it as well as runInHost. Each test is written to the file
// HOST_RESULTS as it begins and as it ends; another runner can serve there if it writes the same lines.
import { appendFileSync } from 'node:fs';

const testTimeoutMs = 30_000;

/**
 * @typedef {{ kind: 'testBegan', name: string }
 *   | { kind: 'testPassed', name: string, durationMs: number }
 *   | { kind: 'testFailed', name: string, durationMs: number, error: string }} TestLine
 */

export class InHostSuite {
  /** @type {{ name: string, test: () => unknown, timeoutMs: number }[]} */
  #tests = [];

  /**
   * @param {string} name a sentence about behaviour
   * @param {() => unknown} test fails by throwing or rejecting
   * @param {{ timeoutMs?: number }} [options]
   */
  it(name, test, { timeoutMs = testTimeoutMs } = {}) {
    this.#tests.push({ name, test, timeoutMs });
  }

  /** Runs every test; rejects when one failed. @returns {Promise<void>} */
  run = async () => {
    const failed = [];
    for (const { name, test, timeoutMs } of this.#tests) {
      write({ kind: 'testBegan', name });
      const startMs = performance.now();
      try {
        await within(timeoutMs, test);
        write({ kind: 'testPassed', name, durationMs: performance.now() - startMs });
      } catch (error) {
        failed.push(name);
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        write({ kind: 'testFailed', name, durationMs: performance.now() - startMs, error: text });
      }
    }
    if (failed.length > 0) throw new Error(`failed: ${failed.join('; ')}`);
  };
}

/** @param {TestLine} line */
function write(line) {
  const results = process.env.HOST_RESULTS;
  if (results) appendFileSync(results, `${JSON.stringify(line)}\n`);
  else console.log(line);
}

/**
 * @param {number} timeoutMs
 * @param {() => unknown} test
 */
async function within(timeoutMs, test) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([test(), late]);
  } finally {
    clearTimeout(timer);
  }
}
