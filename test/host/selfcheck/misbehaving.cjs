// Suites that must fail the run, each in its own way; SELFCHECK_CASE says which.
const { InHostSuite } = require('../inHostSuite.mjs');

const suite = new InHostSuite();

/** @type {Record<string, (() => unknown) | undefined>} */
const tests = {
  fails: () => Promise.reject(new Error('two is not three')),
  hangs: () => new Promise(() => {}),
  exits: () => process.exit(0),
  dies: () => process.kill(process.pid, 'SIGKILL'),
};
const test = tests[process.env.SELFCHECK_CASE ?? ''];
if (test) suite.it('misbehaves', test);

exports.run = suite.run;
