import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { executionContext, testParts } from '../support/parts.ts'

describe('an unknown failure', () => {
  it('is a bare 500 with the request id when it is a mistake of ours', async () => {
    const { parts, logged } = await testParts()
    const current = () => {
      throw new TypeError('planted-detail')
    }
    const app = createApp({ ...parts, keyRing: { ...parts.keyRing, current } })
    const answer = await app.request('/.well-known/jwks.json', {}, {}, executionContext)
    const requestId = answer.headers.get('X-Request-Id')
    expect(answer.status).toBe(500)
    expect(await answer.json()).toEqual({
      type: 'about:blank',
      status: 500,
      code: 'internal',
      title: 'Something went wrong. The request id names it in the log.',
      request_id: requestId,
    })
    expect(logged).toHaveLength(1)
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({
      event: 'request.failed',
      request_id: requestId,
      detail: 'TypeError',
      at: expect.stringMatching(/^at /),
    })
    expect(logged[0]).not.toContain('planted')
  })
})
