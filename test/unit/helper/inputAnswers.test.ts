import { describe, expect, it } from 'vitest';
import { InputAnswers, maxAnsweredFiles } from '../../../src/helper/inputAnswers.ts';

describe('answers to inputs', () => {
  it('are a file’s own, and replaced as a whole', () => {
    const answers = new InputAnswers();
    answers.set('/a', [
      { id: 'key', value: 'one' },
      { id: 'url', value: 'two' },
    ]);
    answers.set('/b', [{ id: 'key', value: 'three' }]);
    expect(answers.of('/a')).toEqual(
      new Map([
        ['key', 'one'],
        ['url', 'two'],
      ]),
    );
    answers.set('/a', [{ id: 'key', value: 'four' }]);
    expect(answers.of('/a')).toEqual(new Map([['key', 'four']]));
    expect(answers.of('/b')).toEqual(new Map([['key', 'three']]));
    answers.set('/b', []);
    expect(answers.of('/b')).toEqual(new Map());
    expect(answers.of('/c')).toEqual(new Map());
  });

  it('that were asked for as passwords are secrets, unless they are too short to be told from other text', () => {
    const answers = new InputAnswers();
    answers.set('/a', [
      { id: 'a', value: 'hunter2', password: true },
      { id: 'b', value: 'region', password: false },
      { id: 'c', value: 'no', password: true },
    ]);
    expect(answers.secrets()).toEqual(['hunter2']);
  });

  it('of files that were answered longest ago are forgotten at the bound', () => {
    const answers = new InputAnswers();
    for (let file = 0; file <= maxAnsweredFiles; file += 1) answers.set(`/${file}`, [{ id: 'k', value: 'v' }]);
    expect(answers.of('/0').size).toBe(0);
    expect(answers.of('/1').size).toBe(1);
  });
});
