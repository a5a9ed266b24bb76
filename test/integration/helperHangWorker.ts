// A helper whose stop never comes to its end, for the test that it is gone all the same.
import { HelperHost } from '../../src/helper/helperHost.ts';
import { runHelper } from '../../src/helper/main.ts';

HelperHost.prototype.stop = () => {
  setInterval(() => {}, 1_000); // Something of it is still open.
  return new Promise(() => {});
};
runHelper({ stopWithinMs: 200 });
