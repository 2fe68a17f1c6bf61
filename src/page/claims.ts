import { decodeJwt, decodeProtectedHeader } from 'jose'
import { make } from './elements.ts'
import { timeOfDay } from './words.ts'

/** What the token says, each with its name in the standard. A token that is no JWT says nothing. */
export function describeClaims(token: string): readonly HTMLElement[] {
  return readClaims(token).map(([label, name, value]) =>
    make('div', '', make('dt', '', label, ' ', make('code', '', name)), make('dd', '', value)),
  )
}

/** How long the token was made for; nothing if it does not say. A tab that was handed it may have got it late. */
export function lifetimeMsOf(token: string): number | undefined {
  try {
    const { iat, exp } = decodeJwt(token)
    return iat !== undefined && exp !== undefined ? (exp - iat) * 1000 : undefined
  } catch {
    return undefined
  }
}

function readClaims(token: string): readonly (readonly [label: string, name: string, value: string])[] {
  try {
    const { kid = '', alg = '' } = decodeProtectedHeader(token)
    const { sub = '', iss = '', aud = [], iat = 0, exp = 0, ...others } = decodeJwt(token)
    return [
      ['User', 'sub', sub],
      ['Session', 'sid', listed(others['sid'])],
      ['Roles', 'roles', listed(others['roles']) || 'none'],
      ['Issued', 'iat', timeOfDay(iat * 1000)],
      ['Good until', 'exp', timeOfDay(exp * 1000)],
      ['Issued by', 'iss', iss],
      ['Meant for', 'aud', listed(aud)],
      ['Signed with', 'alg, kid', `${alg}, ${kid}`],
    ]
  } catch {
    return [['Token', 'opaque', 'Only the service can read it.']]
  }
}

function listed(value: unknown): string {
  const texts = [value].flat().filter((one) => typeof one === 'string')
  return texts.join(', ')
}
