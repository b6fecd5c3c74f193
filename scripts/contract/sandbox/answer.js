test('the cancel is accepted', () => {
  if (!answer.accepted) throw new Error(`${status} ${answer.code}: ${answer.message}`);
});
if (status !== 200) {
  test('the error has the form of the document', () => {
    if (!answer.typed) throw new Error(`${status} without code and message`);
  });
}
