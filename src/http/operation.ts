/**
 * What an endpoint tells of itself. The document at `/openapi.json` is made of it: of the schemas by which the endpoint reads
 * and answers, and of failures, whose statuses and codes `failure.ts` alone knows.
 */
import type { MiddlewareHandler } from 'hono'
import { describeRoute, resolver, type ResponsesWithResolver } from 'hono-openapi'
import { z } from 'zod'
import type { Failure } from '../failure.ts'
import { failureExamples } from '../failure-examples.ts'
import type { Env } from './context.ts'
import { describeOAuthError, oauthErrorBody } from './oauth-error.ts'
import { describeProblem, problemBody } from './problem.ts'
import { refreshCookieName } from './refresh-cookie.ts'

type Reason = Failure['reason']

/** What operations are about, in the order in which people read of them. */
export const operationTags = [
  'Accounts',
  'Sessions',
  'Tokens',
  'OAuth',
  'Administration',
  'Discovery',
  'Health',
] as const

export interface Operation {
  /** What generated clients call it, as in `signIn`. */
  readonly id: string
  /** A heading, without a full stop. */
  readonly summary: string
  /** Whatever a caller must know besides, in Markdown. */
  readonly description?: string
  readonly tag: (typeof operationTags)[number]
  /** The ways to authenticate, any of which will do; `none` is among them where it may be left out. */
  readonly security?: readonly (keyof ReturnType<typeof describeSecurity> | 'none')[]
  readonly parameters?: readonly Parameter[]
  /** The schema that `readJson` or `readForm` is given. Who reads a form answers with OAuth's errors. */
  readonly json?: z.ZodType
  readonly form?: z.ZodType
  readonly success: Success
  /** Why it may refuse, besides what goes wrong with any body and any request. */
  readonly failures: readonly Reason[]
}

/** A part of the address must be there, any other parameter need not. */
interface Parameter {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly description: string
  /** What it is read by, where not any text will do. */
  readonly schema?: z.ZodString
}

interface Success {
  readonly status: 200 | 201 | 204
  readonly description: string
  /** By media type. */
  readonly content?: Readonly<Record<string, z.ZodType>>
  /** Headers that are always there, with what they say. */
  readonly headers?: Readonly<Record<string, string>>
}

/** How callers authenticate. */
export function describeSecurity(issuer: string) {
  return {
    accessToken: { type: 'http', scheme: 'bearer', description: 'An access token.' },
    client: {
      type: 'http',
      scheme: 'basic',
      description: 'The id and the secret of a client, each form-encoded: `client_secret_basic`.',
    },
    refreshCookie: {
      type: 'apiKey',
      in: 'cookie',
      name: refreshCookieName(issuer),
      description: 'The refresh token of a browser, which sends it from a registered origin.',
    },
  } as const
}

/** Every answer has them. */
export const answerHeaders = { 'X-Request-Id': header('Names the request in the log.', true) }

const requestIdHeader = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } }

/**
 * Middleware that does nothing but describe the route it stands in. What takes time is behind getters, which run when the
 * document is asked for: a cold isolate has other things to do.
 */
export function describe(operation: Operation): MiddlewareHandler<Env> {
  const { id, summary, description, tag, security, parameters = [], json, form } = operation
  const body = json ? { 'application/json': json } : form && { 'application/x-www-form-urlencoded': form }
  return describeRoute({
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    tags: [tag],
    ...(security && { security: security.map((scheme) => (scheme === 'none' ? {} : { [scheme]: [] })) }),
    get parameters() {
      return parameters.map((parameter) => describeParameter(parameter))
    },
    ...(body && {
      requestBody: {
        get required() {
          return json?.safeParse({}).success !== true
        },
        content: describeContent(body),
      },
    }),
    get responses() {
      return describeAnswers(operation)
    },
  })
}

function describeParameter({ in: place, name, description, schema }: Parameter) {
  const { pattern } = schema ? z.toJSONSchema(schema) : {}
  const required = place === 'path'
  return {
    in: place,
    name,
    description,
    required,
    schema: { type: 'string', ...(pattern !== undefined && { pattern }) },
  } as const
}

function describeAnswers(operation: Operation): ResponsesWithResolver {
  return { [operation.success.status]: describeSuccess(operation.success), ...describeFailures(operation) }
}

function describeSuccess({ description, content, headers = {} }: Success) {
  const own = Object.entries(headers).map(([name, says]) => [name, header(says, true)])
  return {
    description,
    headers: { ...requestIdHeader, ...Object.fromEntries(own) },
    ...(content && { content: describeContent(content) }),
  }
}

/** A failure in the words of the interface. */
interface Told {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

/** One answer for each status, with the codes that it may carry and an example of each. */
function describeFailures({ json, form, failures }: Operation): ResponsesWithResolver {
  const ofBody: readonly Reason[] = json ? ['not_json'] : form ? ['not_form'] : []
  const ofAnyBody: readonly Reason[] = ofBody.length > 0 ? ['bad_request', 'body_too_large', ...ofBody] : []
  const reasons = new Set<Reason>(['token_in_query', ...ofAnyBody, ...failures, 'internal'])
  const examples = [...reasons].map((reason) => failureExamples[reason])
  const told: readonly Told[] = form
    ? examples.map((failure) => describeOAuthError(failure))
    : examples.map((failure) => describeProblem(failure, '4d1b2c4e-6f0a-4a51-9a5e-0d3c1f6f8e11'))
  const byStatus = Map.groupBy(told, ({ status }) => status)
  const answers = [...byStatus].map(([status, same]) => {
    const codes = z.enum([...new Set(same.map(({ code }) => code))])
    const schema = form
      ? z.intersection(oauthErrorBody, z.object({ error: codes }))
      : z.intersection(problemBody, z.object({ code: codes }))
    return [
      status,
      {
        description: codes.options.map((code) => `\`${code}\``).join(' · '),
        headers: { ...requestIdHeader, ...commonHeaders(same) },
        content: {
          [form ? 'application/json' : 'application/problem+json']: {
            schema: resolver(schema),
            examples: describeExamples(same),
          },
        },
      },
    ]
  })
  return Object.fromEntries(answers)
}

/** By code; where one code is told in several words, by code and number. What is told alike stands once. */
function describeExamples(same: readonly Told[]) {
  const distinct = [...new Map(same.map((told) => [JSON.stringify(told.body), told])).values()]
  const named = distinct.map(({ code, body }, at) => {
    const isFirst = distinct.findIndex((other) => other.code === code) === at
    return [isFirst ? code : `${code}_${at}`, { value: body }]
  })
  return Object.fromEntries(named)
}

/** The headers of failures with the same status; required if none is without. */
function commonHeaders(same: readonly Told[]) {
  const names = new Set(same.flatMap(({ headers }) => Object.keys(headers)))
  const described = [...names].map((name) => {
    const values = same.map(({ headers }) => headers[name]).filter((value) => value !== undefined)
    return [name, header(`As in \`${values[0]}\`.`, values.length === same.length)]
  })
  return Object.fromEntries(described)
}

function header(description: string, required: boolean) {
  return { description, required, schema: { type: 'string' } } as const
}

function describeContent(content: Readonly<Record<string, z.ZodType>>) {
  return Object.fromEntries(Object.entries(content).map(([media, schema]) => [media, { schema: resolver(schema) }]))
}
