// The helper as the process that an extension starts, for tests that kill it.
import { runHelper } from '../../src/helper/main.ts';

runHelper();
