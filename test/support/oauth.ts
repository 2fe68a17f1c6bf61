import { expect } from 'vitest'
import { bodyOf } from './user.ts'

/** Status and error in one, as in `400 invalid_grant`; the answer must be JSON that no cache stores. */
export async function oauthError(answer: Response): Promise<string> {
  expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/)
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
  const { error, error_description } = await bodyOf(answer)
  expect(error_description).toEqual(expect.any(String))
  return `${answer.status} ${String(error)}`
}
