// The Go peer: an exporter on client_golang that keeps its rows and makes const metrics of them at every scrape.
//
// "main SERIES SHAPE" says its port on stdout and serves.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type row struct {
	customer, project, product string
	value                      float64
}

type exporter struct {
	desc *prometheus.Desc
	rows []row
}

func (e *exporter) Describe(to chan<- *prometheus.Desc) { to <- e.desc }

func (e *exporter) Collect(to chan<- prometheus.Metric) {
	for _, r := range e.rows {
		to <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, r.value,
			"otc", "main-account", r.customer, r.project, r.product, "EUR")
	}
}

func mix(number uint64) uint64 {
	number = (number + 1) * 0x9e3779b97f4a7c15
	number = (number ^ number>>30) * 0xbf58476d1ce4e5b9
	number = (number ^ number>>27) * 0x94d049bb133111eb
	return number ^ number>>31
}

func id(number uint64) string {
	a, b := mix(2*number), mix(2*number+1)
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

func serve(series uint64, shape string) error {
	e := &exporter{desc: prometheus.NewDesc("cloudspend_provider_forecast_cost_month_end",
		"The provider's own forecast of the whole month.",
		[]string{"provider", "account", "customer", "project", "product", "currency"}, nil)}
	for number := uint64(0); number < series; number++ {
		project := number
		if shape == "alike" {
			project = number / 20
		}
		e.rows = append(e.rows, row{
			id(1<<40 + number/1000), id(project),
			fmt.Sprintf("Elastic Cloud Server s3.xlarge.%02d", number%20),
			float64(number*7919%1000003) / 100,
		})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(e)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// The parent has ended.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(listener, nil)
}

func main() {
	series, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(series, os.Args[2]))
}
