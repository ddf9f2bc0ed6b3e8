package e2e

import "strings"

// passage is a response that must come through as it was said.
type passage struct {
	// rule says what must not be lost; it is also the name by which the actor is asked for it.
	rule string
	// result is the value of the member result.
	result string
	// whole is the whole response if it is not the usual one; ID stands for the id and RESULT for the result.
	whole string
}

// response gives the whole response with the first ID standing for the id.
func (p passage) response() string {
	whole := p.whole
	if whole == "" {
		whole = `{"jsonrpc":"2.0","id":ID,"result":RESULT}`
	}
	return strings.Replace(whole, "RESULT", p.result, 1)
}

// tenMB is a result of ten million bytes of text.
var tenMB = `{"content":[{"type":"text","text":"` + strings.Repeat("0123456789 abcdefghij \\n é ", 10_000_000/27) + `"}],"after":[1.0]}`

// passages are what a typed gateway was seen to lose, change, or choke on, and what could trip a raw one.
var passages = []passage{
	{rule: "unknown fields", result: `{"content":[{"type":"text","text":"x","vendor":{"deep":[1,{"x":null}]},"annotations":{"shade":"blue"}}],"unknown":true,"_meta":{"vendor.example/x":[]}}`},
	{rule: "unknown content type", result: `{"content":[{"type":"video","frames":[1,2,3],"codec":{"name":"av2"}}]}`},
	{rule: "result type task", result: `{"resultType":"task","taskId":"t-1","status":"working","createdAt":"2026-01-01T00:00:00Z","ttlMs":null}`},
	{rule: "unknown result type", result: `{"resultType":"vendor/later","ticket":"42"}`},
	{rule: "64-bit integers and longer", result: `{"content":[],"structuredContent":{"a":9223372036854775807,"b":18446744073709551615,"c":-9223372036854775808,"d":123456789012345678901234567890}}`},
	{rule: "the spelling of numbers", result: `{"content":[],"n":[1.0,1e2,1E+2,-0,-0.0,0.10,1e400,1.7976931348623157e308]}`},
	{rule: "the order of keys", result: `{"z":1,"a":{"z":1,"m":2,"a":3},"isError":false,"content":[],"A":2,"_meta":{}}`},
	{rule: "escapes in strings and in keys", result: `{"content":[{"text":"\u0041\u00e9\ud83d\ude00\/\b\f\u0000 é😀\u2028","type":"\u0074ext"}],"\u006bey":1}`},
	{rule: "a lone surrogate", result: `{"content":[{"type":"text","text":"\ud800 and \udfff"}]}`},
	{rule: "white space", result: "{ \t\"content\" :  [ ]\t,\n\n   \"x\":\n{\t} , \"y\" : [ 1 ,\t2 ] }"},
	{rule: "empty and null members", result: `{"content":[{"type":"text","text":""},{"type":"resource","resource":{"uri":"a:b","text":""}}],"isError":false,"structuredContent":null}`},
	{rule: "a result that is not an object", result: `"bare"`},
	{rule: "the id last", result: `{"content":[],"id":7}`, whole: `{"result":RESULT,"jsonrpc":"2.0","id":ID}`},
	{rule: "unknown members of the envelope", result: `{"content":[]}`, whole: `{"vendor":{"id":1},"jsonrpc":"2.0", "id" : ID ,"result":RESULT,"later":1.0}`},
	{rule: "an error with data and more", whole: `{"jsonrpc":"2.0","id":ID,"error":{"message":"no\u0021","data":{"n":1.0,"big":18446744073709551615},"code":-32000,"hint":[]}}`},
	{rule: "ten megabytes", result: tenMB},
	{rule: "ten megabytes and the id last", result: tenMB, whole: `{"result":RESULT,"jsonrpc":"2.0","id":ID}`},
}

// utterances are arguments that must arrive as they were said.
var utterances = []passage{
	{rule: "unknown members", result: `{"nested":{"unknown":[{"x":null}]},"_meta":{"not":"ours"}}`},
	{rule: "64-bit integers and longer", result: `{"a":9223372036854775807,"b":18446744073709551615,"d":123456789012345678901234567890}`},
	{rule: "the spelling of numbers", result: `{"n":[1.0,1e2,1E+2,-0,-0.0,0.10,1e400]}`},
	{rule: "the order of keys", result: `{"z":1,"a":{"z":1,"m":2},"name":"not the tool","A":2}`},
	{rule: "escapes in strings and in keys", result: `{"\u006bey":"\u0041\u00e9\ud83d\ude00\/\u0000 é😀\u2028"}`},
	{rule: "a lone surrogate in a string", result: `{"text":"\ud800"}`},
	{rule: "white space", result: "{ \t\"x\" :  [ ]\t,\n\n   \"y\":\n{\t} }"},
	{rule: "no arguments at all", result: `{}`},
	{rule: "three megabytes", result: `{"text":"` + strings.Repeat("0123456789 abcdefghij \\n é ", 3_000_000/27) + `"}`},
}

// weirdTool is an item of tools/list that must be listed as it is, its name apart.
const weirdTool = `{ "vendor":{"n":12345678901234567890,"f":1.0},"inputSchema":{"type":"object","minimum":1.0},` +
	`"name":"weird","annotations":{"shade":"\u0062lue"},"execution":{"taskSupport":"optional"} }`
