package server

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
)

// refuse ends a request with an error whose text is constant: it shows nothing of the request or of the gateway's inside.
func refuse(c *gin.Context, status int, code, message string) {
	body, err := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	if err != nil {
		body = []byte(`{"error":{"code":"internal","message":""}}`)
	}
	h := c.Writer.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	c.Abort()
	c.Writer.WriteHeader(status)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return
	}
	_, _ = c.Writer.Write(body) // the client may have gone; the access line has the status
}

// Header values that every answer shares. Nobody appends to them: their capacity is their length.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)
