test('a request of nobody is refused', () => {
  if (status < 400 || status >= 500) throw new Error(`${status} ${told(value)}`);
});
