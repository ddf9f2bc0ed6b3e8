package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// serve listens on a free port, tells the parent process which, and serves until it is killed.
func serve(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(l.Addr()); err != nil {
		return err
	}
	return http.Serve(l, h)
}

// proxyHandler is the yardstick: httputil.ReverseProxy with enough idle connections for all clients. Beside it, /list
// writes the bytes of a file and /idle holds a stream open, as the plainest handlers would.
func proxyHandler(target, listFile string) (http.Handler, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.MaxIdleConns, transport.MaxIdleConnsPerHost = nil, 0, 256
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			// As it comes, ReverseProxy cuts off a good part of the large answers: the transport looks for the end of the
			// request body once more, just when the server has closed that body because the answer has begun.
			if n := r.Out.ContentLength; n > 0 {
				r.Out.Body = exactBody{io.LimitReader(r.Out.Body, n), r.Out.Body}
			}
		},
	})
	mux.HandleFunc("POST /list", func(w http.ResponseWriter, _ *http.Request) {
		list, err := listBytes(listFile)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(list)))
		_, _ = w.Write(list)
	})
	mux.HandleFunc("GET /idle", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux, nil
}

// exactBody reads as many bytes as were announced and does not touch the body after them.
type exactBody struct {
	io.Reader
	io.Closer
}

var list []byte

// listBytes reads the file once; it is written before the first request for it. Only one request at a time asks.
func listBytes(file string) ([]byte, error) {
	if list == nil {
		var err error
		if list, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// stdioServer is a server of one tool over stdio; with hang it reads and never answers.
func stdioServer(hang bool) error {
	server := testkit.Server{Serve: func(c *testkit.Call) {
		switch {
		case hang:
			<-c.Context().Done()
		case c.Method == "initialize":
			c.Result(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"small","version":"1"}}`)
		case c.Method == "tools/list":
			c.Result(`{"tools":[{"name":"small","inputSchema":{"type":"object"}}]}`)
		default:
			c.Result(`{}`)
		}
	}}
	return server.Stdio(os.Stdin, os.Stdout)
}
