import type { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import type { RequestContext } from './context.ts'

/**
 * Reads a JSON body against its schema. The refusal names the fields that are wrong, never their values: one of them
 * may be a password.
 */
export async function readJson<T>(c: RequestContext, schema: z.ZodType<T>): Promise<Result<T, Failure>> {
  const mediaType = c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
  const text = await c.req.text().catch(() => undefined)
  if (text === undefined) return failed({ reason: 'bad_request', detail: 'The body ended early.' })
  // A call that needs nothing but its cookie has no body, and then no media type either.
  if (text !== '' && mediaType !== 'application/json') return failed({ reason: 'not_json' })
  const parsed = schema.safeParse(parse(text === '' ? '{}' : text))
  if (parsed.success) return ok(parsed.data)
  const fields = new Set(parsed.error.issues.map(({ path }) => path.join('.')).filter((field) => field !== ''))
  const detail = fields.size > 0 ? `Missing or wrong: ${[...fields].join(', ')}.` : 'The body must be a JSON object.'
  return failed({ reason: 'bad_request', detail })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
