/** Requests made up from the document at `/openapi.json`: good ones, and ones that are wrong in every way. */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { generateSync } from 'json-schema-faker'
import { z } from 'zod'
import type { DescribedOperation } from './interface.ts'

/** How a request goes wrong, if it does. All of it is plain, so that a counterexample can be read. */
export interface RequestPlan {
  /** For what the schema leaves open. */
  readonly seed: number
  readonly optionals: 'all' | 'some'
  readonly credentials: (typeof credentialKinds)[number]
  readonly body: (typeof bodyKinds)[number]
  /** Which field or parameter gets `text`, by its place; beyond their number it is none. */
  readonly madeUp: number
  readonly text: string
  readonly extraQuery: string
  readonly accept: string
}

/** Headers that authenticate nobody. */
const garbage = [
  '',
  'Bearer',
  'Bearer x.y.z',
  'Bearer at1.x',
  'Basic !',
  'Basic Og==',
  'Basic YXBpOng=',
  'Negotiate a',
] as const
const credentialKinds = ['right', 'none', 'of another kind', ...garbage] as const
const bodyKinds = [
  'good',
  'lacks a field',
  'wrong type',
  'more fields',
  'twice',
  'cut off',
  'no object',
  'empty',
  'other media type',
  'too large',
] as const

/** Of an account that is there before all requests. */
export const takenUsername = 'taken'

const texts = [
  takenUsername,
  'web',
  'app',
  'password',
  'a b',
  'https://other.example.com',
  '',
  '\u0000',
  'é'.repeat(300),
]
const queries = ['access_token=at', 'password=', 'nothing=1', 'audience=&audience=x', '%', 'after=1-1&after=x']
const accepts = ['*/*', 'application/json', 'text/event-stream', 'image/png']

/** Everything real: the request that the operation is there for. */
export const goodPlan: RequestPlan = {
  seed: 1,
  optionals: 'all',
  credentials: 'right',
  body: 'good',
  madeUp: Infinity,
  text: '',
  extraQuery: '',
  accept: '*/*',
}

/** The good request with one thing wrong, each thing in turn. */
export function plansWithOneFlaw({ parameters, requestBody, security }: DescribedOperation): RequestPlan[] {
  const [described] = Object.values(requestBody?.content ?? {})
  const fields = Object.keys(
    described ? z.looseObject({ properties: z.object({}).loose() }).parse(described.schema).properties : {},
  )
  const places = [...fields, ...parameters].keys()
  return [
    ...[...places].flatMap((madeUp) => texts.map((text) => ({ ...goodPlan, madeUp, text }))),
    ...(described ? bodyKinds.map((body) => ({ ...goodPlan, body })) : []),
    ...(security ? credentialKinds.map((credentials) => ({ ...goodPlan, credentials })) : []),
    ...queries.map((extraQuery) => ({ ...goodPlan, extraQuery })),
    ...accepts.map((accept) => ({ ...goodPlan, accept })),
  ]
}

/** Requests with any number of flaws. */
export const requestPlans: fc.Arbitrary<RequestPlan> = fc.record({
  seed: fc.nat(),
  optionals: fc.constantFrom('all', 'some'),
  credentials: fc.oneof(fc.constant('right' as const), fc.constantFrom(...credentialKinds)),
  body: fc.oneof(fc.constant('good' as const), fc.constantFrom(...bodyKinds)),
  madeUp: fc.nat(8),
  text: fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(...texts)),
  extraQuery: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, fc.constantFrom(...queries)),
  accept: fc.constantFrom(...accepts),
})

/** What makes a request a good one: values that mean something, by the name of the field, and headers by the scheme. */
export interface Known {
  readonly values: Readonly<Record<string, string | readonly string[]>>
  readonly credentials: Readonly<Record<string, Record<string, string>>>
}

/** The address below the service's own, and what goes with it. */
export function makeRequest(
  operation: DescribedOperation,
  plan: RequestPlan,
  known: Known,
): { readonly path: string; readonly init: RequestInit } {
  const { parameters, requestBody } = operation
  const [media = '', described] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const given = described ? fieldsOf(described.schema, plan, known) : {}
  const query = new URLSearchParams()
  const headers = new Headers({ Accept: plan.accept, ...credentialsOf(operation, plan, known) })
  let path = operation.path
  for (const [at, parameter] of parameters.entries()) {
    const isMadeUp = Object.keys(given).length + at === plan.madeUp
    const value = isMadeUp ? plan.text : known.values[parameter.name]?.toString()
    // One of dots alone would lead elsewhere.
    if (parameter.in === 'path')
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(value?.replace(/^\.*$/, 'x') ?? 'x'))
    else if (value === undefined) continue
    else if (parameter.in === 'query') query.set(parameter.name, value)
    // What fetch itself does not send is nothing to test.
    else if (/^[\x20-\x7e]*$/.test(value)) headers.set(parameter.name, value)
  }
  const search = [query.toString(), plan.extraQuery].filter((part) => part !== '').join('&')
  const body = described && bodyText(given, plan, media)
  if (body !== undefined && body !== '')
    headers.set('Content-Type', plan.body === 'other media type' ? 'text/plain' : media)
  const init = { method: operation.method.toUpperCase(), headers, ...(body !== undefined && { body }) }
  return { path: search === '' ? path : `${path}?${search}`, init }
}

function fieldsOf(schema: Record<string, unknown>, plan: RequestPlan, known: Known): Record<string, unknown> {
  const generated = generateSync(schema, { seed: plan.seed, alwaysFakeOptionals: plan.optionals === 'all' })
  const fields = Object.entries(z.record(z.string(), z.unknown()).parse(generated))
  return Object.fromEntries(
    fields
      .map(([name, value], at) => [name, at === plan.madeUp ? plan.text || value : known.values[name]] as const)
      .filter(([, value]) => value !== undefined),
  )
}

function bodyText(fields: Readonly<Record<string, unknown>>, { body, text }: RequestPlan, media: string): string {
  const write = (given: object) =>
    media === 'application/json'
      ? JSON.stringify(given)
      : new URLSearchParams(
          Object.entries(given).map(([name, value]): [string, string] => [name, String(value)]),
        ).toString()
  const [first = 'x', ...rest] = Object.keys(fields)
  switch (body) {
    case 'lacks a field':
      return write(Object.fromEntries(rest.map((name) => [name, fields[name]])))
    case 'wrong type':
      return write({ ...fields, [first]: [{ length: 0 }, 7, null] })
    case 'more fields':
      return write({ ...fields, [text]: text, __proto__: 1, constructor: text })
    case 'twice':
      return media === 'application/json' ? write([fields, fields]) : `${write(fields)}&${write(fields)}`
    case 'cut off':
      return write(fields).slice(0, -1)
    case 'no object':
      return ['null', '[]', '"text"', '12', 'true', text][text.length % 6] ?? ''
    case 'empty':
      return ''
    case 'too large':
      return write({ ...fields, padding: 'x'.repeat(20_000) })
    case 'good':
    case 'other media type':
      return write(fields)
    default:
      return body satisfies never
  }
}

function credentialsOf({ security }: DescribedOperation, plan: RequestPlan, known: Known): Record<string, string> {
  const schemes = security.flatMap((way) => Object.keys(way))
  if (plan.credentials === 'none') return {}
  if (plan.credentials === 'right') return known.credentials[schemes[plan.seed % schemes.length] ?? ''] ?? {}
  if (plan.credentials !== 'of another kind') return { Authorization: plan.credentials }
  return Object.entries(known.credentials).find(([name]) => !schemes.includes(name))?.[1] ?? {}
}

/** A password that nobody has used, which the policy takes. */
export function freshPassword(): string {
  return `a fine phrase ${randomUUID()}`
}
