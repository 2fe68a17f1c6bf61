import type { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import type { RequestContext } from './context.ts'

const decoder = new TextDecoder()

/**
 * Reads a JSON body against its schema. The refusal names the fields that are wrong, never their values: one of them
 * may be a password.
 */
export async function readJson<T>(c: RequestContext, schema: z.ZodType<T>): Promise<Result<T, Failure>> {
  const text = await c.req.text().catch(() => undefined)
  if (text === undefined) return failed({ reason: 'bad_request', detail: 'The body ended early.' })
  // A call that needs nothing but its cookie has no body, and then no media type either.
  if (text !== '' && mediaTypeOf(c) !== 'application/json') return failed({ reason: 'not_json' })
  const parsed = schema.safeParse(parse(text === '' ? '{}' : text))
  if (parsed.success) return ok(parsed.data)
  return failed({ reason: 'bad_request', detail: describeProblem(parsed.error, 'JSON object') })
}

/**
 * Reads a form against its schema. A field sent twice is refused, and one without a value counts as absent: RFC 6749
 * section 3.2.
 */
export async function readForm<T>(c: RequestContext, schema: z.ZodType<T>): Promise<Result<T, Failure>> {
  if (mediaTypeOf(c) !== 'application/x-www-form-urlencoded') return failed({ reason: 'not_form' })
  // Not as text: of a form workerd warns that it does not look like any, in each request's log.
  const bytes = await c.req.arrayBuffer().catch(() => undefined)
  if (bytes === undefined) return failed({ reason: 'bad_request', detail: 'The body ended early.' })
  const text = decoder.decode(bytes)
  const fields = [...new URLSearchParams(text)].filter(([, value]) => value !== '')
  const names = fields.map(([name]) => name)
  if (new Set(names).size < names.length)
    return failed({ reason: 'bad_request', detail: 'No parameter may be sent more than once.' })
  const parsed = schema.safeParse(Object.fromEntries(fields))
  return parsed.success
    ? ok(parsed.data)
    : failed({ reason: 'bad_request', detail: describeProblem(parsed.error, 'form') })
}

function mediaTypeOf(c: RequestContext): string | undefined {
  return c.req.header('Content-Type')?.split(';')[0]?.trim().toLowerCase()
}

/** Names the fields that are wrong, never their values. */
export function describeProblem({ issues }: z.ZodError, kind: string): string {
  const fields = new Set(issues.map(({ path }) => path.join('.')).filter((field) => field !== ''))
  return fields.size > 0 ? `Missing or wrong: ${[...fields].join(', ')}.` : `The body must be a ${kind}.`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
