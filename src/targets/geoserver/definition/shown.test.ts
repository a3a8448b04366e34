import { expect, test } from 'vitest'
import { shownLines } from './shown.ts'

function shown(path: string, content: string): string | undefined {
  return shownLines(path, Buffer.from(content))
    ?.map(({ text }) => text)
    .join('\n')
}

test('an object is told one element a line, its password masked and nothing else', () => {
  const xml =
    '<dataStore><name>store</name><connectionParameters><entry key="passwd">crypt1:abc</entry>' +
    '<entry key="host">db</entry><entry key="url">postgres://anna:hunter2@db/x?password=hunter2</entry></connectionParameters></dataStore>'
  expect(shown('workspaces/w/s/datastore.xml', xml)).toBe(
    [
      '<dataStore>',
      '  <name>store</name>',
      '  <connectionParameters>',
      '    <entry key="passwd">(not shown)</entry>',
      '    <entry key="host">db</entry>',
      '    <entry key="url">postgres://(not shown)@db/x?password=(not shown)</entry>',
      '  </connectionParameters>',
      '</dataStore>',
    ].join('\n'),
  )
})

test('another encryption is another line to compare, and the same line to see', () => {
  const line = (secret: string) =>
    shownLines(
      'workspaces/w/s/datastore.xml',
      Buffer.from(`<dataStore><password>${secret}</password></dataStore>`),
    )?.[1]
  expect(line('crypt1:a')?.raw).not.toBe(line('crypt1:b')?.raw)
  expect(line('crypt1:a')?.text).toBe(line('crypt1:b')?.text)
})

test('passwords in files of users and of properties are masked', () => {
  const users = '<userRegistry><user name="a" password="digest1:xyz"/></userRegistry>'
  expect(shown('security/usergroup/default/users.xml', users)).toContain('<user name="a" password="(not shown)"/>')
  expect(shown('security/users.properties', '# of 2.1\nadmin=geoserver,ADMIN,enabled\n')).toBe(
    '# of 2.1\nadmin=(not shown),ADMIN,enabled',
  )
  expect(shown('workspaces/w/s/db.properties', 'host=db\npasswd = hunter2\n')).toBe('host=db\npasswd = (not shown)')
  expect(shown('styles/a.sld', '<a/>\n')).toBe('<a/>')
})

test('keys of stores, services and blob stores are masked however they are called, and in addresses too', () => {
  const entry = (key: string) => `<entry key="${key}">hunter2</entry>`
  const keys = ['Secret Key', 'Access Key', 's3.secret-key', 'private_key', 'client_secret'].map(entry).join('')
  const signed = '<url>https://a/b?X-Amz-Signature=hunter2&amp;access_token=hunter2&amp;sig=hunter2&amp;k=1</url>'
  for (const xml of [
    `<dataStore><connectionParameters>${keys}</connectionParameters></dataStore>`,
    '<wmsStore><authKey>a=hunter2</authKey><headerName>X-Key</headerName><headerValue>hunter2</headerValue></wmsStore>',
    '<S3BlobStore><awsAccessKey>hunter2</awsAccessKey><awsSecretKey>hunter2</awsSecretKey></S3BlobStore>',
    `<coverageStore>${signed}</coverageStore>`,
  ]) {
    const text = shown('gwc/geowebcache.xml', xml)
    expect(text).toContain('(not shown)')
    expect(text).not.toContain('hunter2')
  }
  expect(shown('workspaces/w/s/datastore.xml', `<dataStore>${signed}</dataStore>`)).toContain('&k=1')
  expect(shown('workspaces/w/s/x.xml', '<x><keyword>sea</keyword><primaryKey>id</primaryKey></x>')).toContain('>id<')
})

test('what is no text is not told', () => {
  expect(shownLines('styles/icon.png', Uint8Array.of(137, 80, 78, 71, 0, 255))).toBeUndefined()
})
