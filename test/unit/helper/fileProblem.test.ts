import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { fileProblem } from '../../../src/helper/fileProblem.ts';

describe('fileProblem', () => {
  it.each([
    ['ENOSPC', 'the disk is full: free some space'],
    ['EDQUOT', 'disk quota'],
    ['EROFS', 'read-only file system'],
    ['EACCES', 'this user may not use'],
    ['EPERM', 'does not permit'],
    ['ENOTDIR', '/home/x/state cannot be a folder because a file is in its way'],
    ['EEXIST', '/home/x/state cannot be a folder because a file is in its way'],
    ['EISDIR', 'is a folder, where a file is needed'],
    ['EIO', 'cannot be read or written (EIO)'],
  ])('has a sentence of its own for %s, with the path and what to do', (code, words) => {
    const problem = fileProblem('/home/x/state/grants.json', Object.assign(new Error('raw'), { code }));
    expect(problem).toMatchObject({ code: 'STATE_UNWRITABLE', data: { path: '/home/x/state/grants.json' } });
    expect(problem.message).toContain(words);
    expect(problem.message).toMatch(/\/home\/x\/state.*: [a-z ]+/);
    expect(problem.message).not.toContain('raw');
  });

  it('passes on what has a sentence already', () => {
    const error = new TunnelError('CONFLICT', 'held');
    expect(fileProblem('/x', error)).toBe(error);
  });
});
