import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { ShellText } from '../src/core/templates/shell.ts'

const AT = { template: 't.sh', line: 1, column: 1 }
const folder = mkdtempSync(join(tmpdir(), 'flotilla-shell-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** `§` stands for the value. */
function script(template: string, value: string): string {
  const shell = new ShellText()
  for (const [index, text] of template.split('§').entries()) {
    if (index > 0) shell.value(value, AT)
    shell.literal(text)
  }
  return shell.text
}

function run(shell: string, text: string): string {
  return execFileSync(shell, ['-c', text], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 10_000,
  })
}

const HOSTILE = [
  'plain',
  '',
  ' ',
  "it's",
  '"',
  '\\',
  '$HOME',
  '$(touch canary)',
  '`touch canary`',
  '; touch canary',
  "'; touch canary #",
  '"; touch canary #',
  '\n touch canary\n',
  '$((1+1))',
  '*',
  '~',
  '-n',
  '!!',
  '\\\n',
  "\\'",
  '}',
  ')',
  '#',
  'a b  c',
  'EOF',
  '\tEOF\n',
  '${IFS}',
  '&& touch canary',
]

test.for<[string, string]>([
  ['a word', "printf '%s' §"],
  ['a value given', 'x=§; printf %s "$x"'],
  ['double quotes', 'printf %s "§"'],
  ['within double quotes', 'x="a §"; x="${x#a }"; printf %s "$x"'],
  ['single quotes', "printf %s '§'"],
  ['single quotes after double ones', `y="it's"; printf %s '§'`],
  ['a substitution in double quotes', 'printf %s "$(printf "%s" §; printf x)" | sed \'$ s/x$//\''],
  ['double quotes in a substitution', 'printf %s "$(printf %s "§"; printf x)" | sed \'$ s/x$//\''],
  ['after a comment with an odd quote', "# it's\nprintf %s §"],
  ['after a line that goes on', "true \\\n  # it's\nprintf %s §"],
  ['a loop', 'for x in §; do printf %s "$x"; done'],
  ['a function', 'f() { printf %s "$1"; }\nf §'],
  ['a subshell', '(printf %s §)'],
  ['a test', 'if [ § = § ]; then printf %s §; fi'],
  ['after a set of characters', `x=y; case $x in x[yz] | [a-z]) printf %s §;; esac`],
  ['a pattern', 'case § in §) printf %s §;; esac'],
])('a value keeps its meaning in %s, whatever it is', ([, template]) => {
  for (const value of HOSTILE) {
    for (const shell of ['sh', 'bash']) expect(run(shell, script(template, value)), value).toBe(value)
  }
  expect(readdirSync(folder)).toEqual([])
})

test('a value keeps its meaning in a here-document, or is refused', () => {
  for (const template of [
    'cat <<EOF\n<§>\nEOF\n',
    "cat <<'EOF'\n<§>\nEOF\n",
    'x=$(cat <<-EOF\n\t<§>\n\tEOF\n)\nprintf "%s\\n" "$x"',
  ]) {
    for (const value of HOSTILE.filter((one) => !one.includes('\t')))
      expect(run('bash', script(template, value))).toBe(`<${value}>\n`)
  }
  for (const value of ['EOF', 'a\nEOF\ntouch canary', 'EOF\n']) {
    expect(() => script('cat <<EOF\n§\ntouch canary\nEOF\n', value)).toThrow('would end the here-document')
  }
  expect(() => script('cat <<-"E F"\n\t§\nE F\n', 'E F')).toThrow('would end the here-document')
  expect(readdirSync(folder)).toEqual([])
})

test.for<[string, string]>([
  ['echo `echo §`', 'in backticks'],
  ['echo "`echo §`"', 'in backticks'],
  ["echo $'§'", "in $'…'"],
  ['echo ${x:-§}', 'in ${…}'],
  ['echo "${x:-§}"', 'in ${…}'],
  ['echo $§', 'right behind "$"'],
  ['echo "$§"', 'right behind "$"'],
  ['echo \\§', 'right behind "\\"'],
  ['cat <<§\n', 'right behind "<<"'],
  ['cat << E§\nE\n', 'in the end of a here-document'],
  ['echo $((1 + §))', 'in arithmetic'],
  ['x=$(case a in a) echo 1;; esac); echo §', 'there is a "case" within "$(…)"'],
  ['echo "${x:-it\'s}" §', 'within "${…}"'],
  ['cat <<E\n$(echo\n§)\nE\n', 'several lines within a here-document'],
  ['echo $[1] §', '"$["'],
  ["echo a\r\n # it's\r\necho §", 'white space'],
  ['a[§]=1', 'in the subscript of a list'],
  ['a["§"]=1', 'in the subscript of a list'],
  ["a['§']+=1", 'in the subscript of a list'],
  ['a[ §]=1', 'in the subscript of a list'],
  ['a[b[§]]=1', 'in the subscript of a list'],
  ['a=(b [§]=1)', 'in the subscript of a list'],
  ['echo $(("§"))', 'in arithmetic'],
  ["x=(<<'E'\n§\nE\n)", 'a here-document within a list'],
  ['echo a[b; echo §', 'there is a "["'],
  ["a[ # it's\n]=1; echo §", 'there is a "["'],
])('where a value cannot be made safe it is refused: %s', ([template, why]) => {
  expect(() => script(template, 'x')).toThrow(why)
})

test('a list takes values of one line', () => {
  expect(run('bash', script('x=(a § §); printf %s "${x[1]}${#x[@]}"', "it's (b)"))).toBe("it's (b)3")
  expect(() => script('x=(a §)', 'b\nc')).toThrow('between commands')
})

test('arithmetic takes whole numbers, and comments what has no line break', () => {
  expect(script('echo $((§ + 1))', '-41')).toBe('echo $((-41 + 1))')
  expect(() => script('echo $((§))', 'a[$(touch canary)]')).toThrow('in arithmetic')
  expect(script('# §\n', "it's $(x)")).toBe("# it's $(x)\n")
  expect(() => script('# §\n', 'x\ntouch canary')).toThrow('in a comment')
  expect(run('bash', script('a[§]=x; printf %s "${!a[@]}"', '7'))).toBe('7')
  expect(() => script('echo §', 'a\0b')).toThrow('NUL')
})

/** Bits of scripts that open and close everything there is, in any order. */
const BITS = [
  '§',
  '§',
  '§',
  ' ',
  ' ',
  '\n',
  '"',
  '"',
  "'",
  "'",
  '`',
  '\\',
  '$',
  '(',
  ')',
  '$(',
  ')',
  '$((',
  '))',
  '${x',
  '${x:-',
  '}',
  '#',
  ' #',
  ';',
  'echo ',
  'x=',
  "$'",
  '$"',
  '<<E\n',
  'E\n',
  "<<'E'\n",
  '<<-E\n',
  '\tE\n',
  '<<<',
  '<',
  '&',
  '|',
  'case a in a)',
  'esac',
  '((',
  '[[ ',
  ' ]]',
  '{ ',
  '; }',
  '\\\n',
  'if true; then ',
  'fi\n',
  '$x',
  '$#',
  'a[',
  'a=([',
  ']=',
  ']',
]

test('no script whatever, with values in it, runs what a value says', { timeout: 600_000 }, () => {
  const runs = process.env['FLOTILLA_SOAK'] === '1' ? 20_000 : 300
  const values = [
    'x\'$(touch canary)\'"$(touch canary)"',
    ';touch canary;',
    '`touch canary`',
    "'\ntouch canary\n'",
    '"\ntouch canary\n"',
    '\nE\ntouch canary\n',
    ')\ntouch canary\n',
    'b[$(touch canary)]',
    'E',
  ]
  let rendered = 0
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...BITS), { minLength: 2, maxLength: 14 }),
      fc.constantFrom(...values),
      (bits, value) => {
        let text: string
        try {
          text = script(`${bits.join('')}\n`, value)
        } catch {
          return
        }
        if (!text.includes('canary')) return
        rendered += 1
        for (const name of readdirSync(folder)) rmSync(join(folder, name))
        try {
          run('bash', `PATH=/nowhere\n touch() { echo hit > canary; }\n echo() { :; }\n x=1\n${text}`)
        } catch {
          // Most of them are no valid scripts: bash stops where it sees that, which may be after it has run something.
        }
        expect(readdirSync(folder), JSON.stringify(text)).toEqual([])
      },
    ),
    { numRuns: runs },
  )
  expect(rendered).toBeGreaterThan(runs / 30)
})
