// What VS Code loads as `extensionTestsPath`: runs the suite named by HOST_SUITE and writes down, one JSON line each,
// that it began, in which process, and that it came to its end. VS Code's own exit code says neither: it is 0 too
// when a test calls process.exit(0).
const { appendFileSync } = require('node:fs');

/** @returns {Promise<void>} */
exports.run = async () => {
  const { HOST_SUITE: suite, HOST_RESULTS: results } = process.env;
  if (!suite || !results) throw new Error('HOST_SUITE and HOST_RESULTS must be set');
  /** @param {object} line */
  const write = (line) => appendFileSync(results, `${JSON.stringify(line)}\n`);
  write({ kind: 'suiteBegan', pid: process.pid });
  try {
    const { run } = require(suite);
    if (typeof run !== 'function') throw new Error(`${suite} exports no function run()`);
    await run();
    write({ kind: 'suiteEnded' });
  } catch (error) {
    write({ kind: 'suiteFailed', error: error instanceof Error ? error.stack : String(error) });
    throw error;
  }
};
