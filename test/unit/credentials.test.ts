import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalUsername, checkUsername } from '../../src/accounts/credentials.ts'

describe('the canonical spelling of a username', () => {
  it('is its own canonical spelling', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 12 }), (name) => {
        expect(canonicalUsername(canonicalUsername(name))).toBe(canonicalUsername(name))
      }),
      { numRuns: 5000 },
    )
    for (const name of ['J\u030cane', 'H\u0331', 'W\u030a', '\u01c5', '\u0130', 'STRASSE', '\ufb01ne'])
      expect(canonicalUsername(canonicalUsername(name))).toBe(canonicalUsername(name))
  })

  it('is one for all ways to write a name', () => {
    expect(canonicalUsername('J\u030cane')).toBe(canonicalUsername('\u01f0ane'))
    expect(canonicalUsername(' \uff21da ')).toBe('ada')
  })

  it.each(['alice\ufe0f', 'alice\u3164', 'ali\u034fce', 'ali\u200bce', 'ali\u2800ce', 'ali\u00adce', 'ali\ud800ce'])(
    'has no invisible characters: %j is refused',
    (name) => {
      expect(checkUsername(name)).toMatchObject({ ok: false, failure: { reason: 'username_rejected' } })
    },
  )
})
