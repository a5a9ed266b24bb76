// What a run inside the extension host left behind, and the verdict on it. Silence is never success: a suite that
// did not come to its end, or that held no test, has failed.
import { readFile } from 'node:fs/promises';

/**
 * @typedef {import('./inHostSuite.mjs').TestLine
 *   | { kind: 'suiteBegan', pid: number }
 *   | { kind: 'suiteEnded' }
 *   | { kind: 'suiteFailed', error: string }} ResultLine
 *
 * @typedef {object} InHostTest
 * @property {string} name
 * @property {number} durationMs
 * @property {string} [error] why it failed
 */

export class InHostResults {
  /** @type {InHostTest[]} */
  tests = [];
  /** The extension host's process, once the suite began. @type {number | undefined} */
  pid;
  /** The test that began and did not end. @type {string | undefined} */
  running;
  ended = false;
  /** Why the suite as a whole failed. @type {string | undefined} */
  error;

  /** @param {readonly ResultLine[]} lines */
  constructor(lines) {
    for (const line of lines) this.#add(line);
  }

  /** @param {string} file @returns {Promise<InHostResults>} */
  static async read(file) {
    const text = await readFile(file, 'utf8');
    // A line without its end is still being written.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return new InHostResults(whole.split('\n').filter(Boolean).map(parseLine));
  }

  get failed() {
    return this.tests.filter((test) => test.error !== undefined);
  }

  /** One sentence on why this is no success, or nothing. @param {number} exitCode @returns {string | undefined} */
  objection(exitCode) {
    const [first] = this.failed;
    if (first)
      return `${this.failed.length} of ${this.tests.length} tests failed; the first is "${first.name}": ${first.error}`;
    if (this.error) return `the suite failed: ${this.error}`;
    if (!this.ended) return `the suite never came to its end${this.during} (exit code ${exitCode})`;
    if (this.tests.length === 0) return 'the suite ran no test';
    if (exitCode !== 0) return `VS Code answered with exit code ${exitCode}`;
    return undefined;
  }

  /** Where the suite stands, to end a sentence with: ` during "…"`. */
  get during() {
    if (this.running) return ` during "${this.running}"`;
    return this.pid === undefined ? ' before the suite began' : '';
  }

  /** @param {ResultLine} line */
  #add(line) {
    switch (line.kind) {
      case 'suiteBegan':
        this.pid = line.pid;
        return;
      case 'testBegan':
        this.running = line.name;
        return;
      case 'testPassed':
        this.running = undefined;
        this.tests.push({ name: line.name, durationMs: line.durationMs });
        return;
      case 'testFailed':
        this.running = undefined;
        this.tests.push({ name: line.name, durationMs: line.durationMs, error: line.error });
        return;
      case 'suiteEnded':
        this.ended = true;
        return;
      case 'suiteFailed':
        this.error = line.error;
    }
  }
}

/** @param {string} text @returns {ResultLine} */
const parseLine = (text) => JSON.parse(text);
